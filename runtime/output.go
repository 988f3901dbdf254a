package runtime

import (
	"context"

	"supervisord/runtime/state"
)

// saidLines is how many of the last lines of a process's output are known.
const saidLines = 5

// LastOutput are the last lines of the output of a process, 5 and 1 KiB of each channel at
// most, those of its standard error last: of its present run, or of the one that ended last
// where none runs, or where it has ended unasked since a start was asked for. There are none
// of a channel without a log file, and after an upgrade of the daemon none of before. They
// come from memory, as they were written. Any client's request may lead here: who may read
// logs may read them. The error is BadName, or that of ctx.
func (s *Supervisor) LastOutput(ctx context.Context, group, name string) (lines []string, err error) {
	var refused error
	err = s.ask(ctx, func() {
		var p *process
		if p, refused = s.find(group, name); refused != nil {
			return
		}
		lines = p.said
		if p.machine.Crashed == 0 && (p.out[state.Stdout].stream != nil || p.out[state.Stderr].stream != nil) {
			lines = p.lastLines()
		}
	})
	return lines, firstError(err, refused)
}

// lastLines are those of the present run.
func (p *process) lastLines() (lines []string) {
	for _, o := range p.out {
		if o.stream != nil {
			lines = append(lines, o.stream.LastLines(saidLines)...)
		}
	}
	return lines[max(0, len(lines)-saidLines):]
}
