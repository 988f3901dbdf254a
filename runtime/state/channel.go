package state

// Channel is one of a child's two output streams.
type Channel int

// The channels.
const (
	Stdout Channel = iota
	Stderr
)

// String is the channel's name in the log and in events.
func (c Channel) String() string {
	if c == Stderr {
		return "stderr"
	}
	return "stdout"
}
