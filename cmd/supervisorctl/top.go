package main

import (
	"cmp"
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/gdamore/tcell/v2"

	"supervisord/rpc/client"
	"supervisord/rpc/planned"
	"supervisord/runtime/state"
)

const (
	topInterval = time.Second      // between two looks at the processes
	topPatience = 10 * time.Second // for one
	topLogBytes = 64 << 10         // of a log that are shown
)

// top shows the processes on the whole terminal, as they are from second to second.
func (c *call) top(ctx context.Context) error {
	if len(c.words) > 0 {
		return c.usage(exitUsage, "top takes no argument")
	}
	if !c.onTerminal {
		return c.usage(exitUsage, "top needs a terminal: use status elsewhere")
	}
	screen, err := tcell.NewScreen()
	if err == nil {
		err = screen.Init()
	}
	if err != nil {
		return plainError("the terminal cannot be used: " + err.Error())
	}
	defer screen.Fini()
	defer restoreIfKilled(screen.Fini)()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, quit := make(chan tcell.Event), make(chan struct{})
	defer close(quit)
	go screen.ChannelEvents(events, quit) // ends with quit or the screen
	t := &top{Client: c.Client, model: topModel{server: c.settings.url, sort: byState}, answers: make(chan func(*topModel))}
	t.refresh(ctx)
	ticker := time.NewTicker(topInterval)
	defer ticker.Stop()
	for {
		draw(screen, &t.model)
		select {
		case event := <-events:
			switch event := event.(type) {
			case *tcell.EventResize:
				screen.Sync()
			case *tcell.EventKey:
				request := t.model.key(keyName(event))
				if request != nil && request.verb == "quit" {
					return nil
				}
				t.do(ctx, request)
			}
		case answer := <-t.answers:
			answer(&t.model)
		case <-ticker.C:
			t.refresh(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// top is one run of it. What takes long is asked elsewhere, and the answers come back.
type top struct {
	*client.Client
	model   topModel
	answers chan func(*topModel) // what became of a request
	busy    bool                 // a refresh is under way
	looking bool                 // a look for the pane is
	exits   int                  // until which exit, in the server's time, the expected exit codes are known
}

// later does something that takes long, whose outcome changes the model.
func (t *top) later(ctx context.Context, ask func(context.Context) func(*topModel)) {
	go func() { // ends with ctx at the latest
		answer := ask(ctx)
		select {
		case t.answers <- answer:
		case <-ctx.Done():
		}
	}()
}

// refresh asks how the processes are, and for what the pane shows.
func (t *top) refresh(ctx context.Context) {
	if t.busy {
		return
	}
	t.busy = true
	known := t.exits
	t.later(ctx, func(ctx context.Context) func(*topModel) {
		ctx, cancel := context.WithTimeout(ctx, topPatience)
		defer cancel()
		processes, err := t.AllProcessInfo(ctx)
		var usage []client.Usage
		old := false
		if err == nil {
			usage, err = t.Usage(ctx)
			if old = client.HasCode(err, client.FaultUnknownMethod); old {
				err = nil
			}
		}
		latest := known // what ended later may have a definition that is not known yet
		for _, p := range processes {
			if p.State == state.Exited {
				latest = max(latest, p.Stop)
			}
		}
		var expected map[string][]int
		if err == nil && latest > known {
			var configs []client.ConfigInfo
			if configs, err = t.AllConfigInfo(ctx); err == nil {
				expected = make(map[string][]int, len(configs))
				for _, c := range configs {
					expected[display(c.Group, c.Name)] = c.ExitCodes
				}
			}
		}
		return func(m *topModel) {
			t.busy = false
			if expected != nil {
				t.exits, m.expected = latest, expected
			}
			if err != nil {
				m.trouble = cmp.Or(unavailable(err), errorText(err))
				return
			}
			m.noUsage = old
			m.update(processes, usage)
		}
	})
	if t.model.pane != paneDiff { // the server reads all files for that: it is shown as it was asked for
		t.do(ctx, t.model.look())
	}
}

// do does what a key asks for.
func (t *top) do(ctx context.Context, r *topRequest) {
	if r == nil {
		return
	}
	if r.verb == "look" {
		if t.looking { // one at a time, so that none overtakes another
			return
		}
		t.looking = true
		t.look(ctx, t.model.pane, r.name)
		return
	}
	t.later(ctx, func(ctx context.Context) func(*topModel) {
		var err error
		if r.verb != "start" {
			if err = t.StopProcess(ctx, r.name); r.verb == "restart" && client.HasCode(err, client.FaultNotRunning) {
				err = nil
			}
		}
		if r.verb != "stop" && err == nil {
			err = t.StartProcess(ctx, r.name)
		}
		return func(m *topModel) {
			m.message = r.verb + " " + r.name + ": done"
			if err != nil {
				m.message = r.verb + " " + r.name + ": " + errorText(err)
			}
			t.refresh(ctx)
		}
	})
}

// look fills the pane.
func (t *top) look(ctx context.Context, pane topPane, name string) {
	t.later(ctx, func(ctx context.Context) func(*topModel) {
		ctx, cancel := context.WithTimeout(ctx, topPatience)
		defer cancel()
		var text string
		var err error
		if pane == paneDiff {
			text, err = t.differences(ctx)
		} else {
			text, err = t.ReadLog(ctx, name, map[topPane]string{paneStdout: "stdout", paneStderr: "stderr"}[pane], -topLogBytes, 0)
		}
		if err != nil {
			text = errorText(err)
		}
		return func(m *topModel) {
			t.looking = false
			asked := m.look()
			switch {
			case asked != nil && m.pane == pane && asked.name == name:
				m.text = plainLines(text)
			case asked != nil: // it is of the one before
				t.do(ctx, asked)
			}
		}
	})
}

// differences is what diff prints.
func (t *top) differences(ctx context.Context) (string, error) {
	all, err := t.Diff(ctx, nil)
	if err != nil || len(all) == 0 {
		return nothingChanged, err
	}
	var lines []string
	for _, a := range planned.Together(all) {
		lines = append(lines, a.String())
	}
	return strings.Join(append(lines, planned.Summary(all)), "\n"), nil
}

// errorText is what went wrong, for a person.
func errorText(err error) string {
	if client.HasCode(err, client.FaultUnknownMethod) {
		return "not known: the server is Supervisor itself, or an older supervisord"
	}
	return cmp.Or(faultText(err), err.Error())
}

// colours are the sequences for colours that visible leaves in a text.
var colours = regexp.MustCompile("\x1b\\[[0-9;:]*m")

// plainLines are the lines of a text that others wrote, without anything that acts on a
// terminal.
func plainLines(text string) []string {
	var v visible
	shown := v.end(v.add(nil, []byte(strings.TrimRight(text, "\n"))))
	return strings.Split(strings.ReplaceAll(colours.ReplaceAllString(string(shown), ""), "\t", "    "), "\n")
}

// keyNames are the keys that make no character.
var keyNames = map[tcell.Key]string{
	tcell.KeyUp: "Up", tcell.KeyDown: "Down", tcell.KeyPgUp: "PgUp", tcell.KeyPgDn: "PgDn", tcell.KeyHome: "Home", tcell.KeyEnd: "End",
	tcell.KeyEnter: "Enter", tcell.KeyEscape: "Esc", tcell.KeyBackspace: "Backspace", tcell.KeyBackspace2: "Backspace", tcell.KeyCtrlC: "Ctrl-C",
}

func keyName(event *tcell.EventKey) string {
	if event.Key() == tcell.KeyRune {
		return string(event.Rune())
	}
	return keyNames[event.Key()]
}

// topStyles are how lines look.
var topStyles = map[topStyle]tcell.Style{
	stylePlain:    tcell.StyleDefault,
	styleHead:     tcell.StyleDefault.Bold(true),
	styleSelected: tcell.StyleDefault.Reverse(true),
	styleBad:      tcell.StyleDefault.Foreground(tcell.ColorMaroon).Bold(true),
	styleBusy:     tcell.StyleDefault.Foreground(tcell.ColorOlive),
	styleDim:      tcell.StyleDefault.Dim(true),
}

// draw puts the model on the screen, all of which its lines fill.
func draw(screen tcell.Screen, m *topModel) {
	width, height := screen.Size()
	for y, line := range m.view(width, height) {
		screen.PutStrStyled(0, y, strings.Join(plainLines(line.text), " "), topStyles[line.style])
	}
	screen.Show()
}
