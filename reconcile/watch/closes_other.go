//go:build !linux

package watch

// closes is only for Linux; elsewhere the rescan sees what caused no notification.
type closes struct{}

func openCloses() *closes { return nil }

func (*closes) C() <-chan string { return nil }
func (*closes) Add(string)       {}
func (*closes) Remove(string)    {}
func (*closes) Close()           {}
