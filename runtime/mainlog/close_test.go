package mainlog

import (
	"testing"
	"testing/synctest"
	"time"

	"supervisord/runtime/logfile"
)

// hung is an output whose disk never answers.
func hung() *output {
	return &output{log: logfile.New(logfile.Options{}), wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// Close has one patience for all disks that hang, and hardly any once it is told to
// give up on them.
func TestCloseIsBounded(t *testing.T) {
	for _, test := range []struct {
		name    string
		giveUp  time.Duration // 0 for never
		longest time.Duration
	}{
		{"left to itself", 0, patience + lastMoment},
		{"given up on before", time.Nanosecond, lastMoment + time.Nanosecond},
		{"given up on meanwhile", patience / 2, patience/2 + lastMoment},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &Log{file: hung(), echo: hung(), giveUp: make(chan struct{})}
				defer func() { close(l.file.done); close(l.echo.done) }()
				if test.giveUp > 0 {
					time.AfterFunc(test.giveUp, l.GiveUp)
				}
				begun := time.Now()
				if l.Close() == nil {
					t.Error("what was not written was not told")
				}
				if took := time.Since(begun); took != test.longest {
					t.Errorf("it took %v, want %v", took, test.longest)
				}
			})
		})
	}
}
