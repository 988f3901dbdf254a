package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"supervisord/cmd/internal/host"
	"supervisord/rpc/client"
	"supervisord/rpc/planned"
	"supervisord/runtime/state"
)

const (
	pollInterval = 200 * time.Millisecond // between two polls of wait
	defaultWait  = 60 * time.Second       // unless told
	// lastPollTimeout is how long the poll that is under way at the end may still take,
	// so that even wait -t 0 polls once and a server that hangs is given up.
	lastPollTimeout = time.Second
)

// wait returns when files and processes agree and everything that starts by
// itself runs, or has exited as expected.
//
// Source: reconciler.md, Seeing it.
func (c *call) wait(ctx context.Context) error {
	revision, err := c.parseRevision()
	if err != nil {
		return err
	}
	names, limit, err := c.parseTimeout()
	if err != nil {
		return err
	}
	end := time.Now().Add(limit)
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	polling, cancel := context.WithTimeout(ctx, limit+lastPollTimeout)
	defer cancel()
	hinted := false
	for {
		missing, fatal, err := c.missing(polling, revision, names)
		status := exitFailed
		if why := unavailable(err); why != "" {
			missing, status, err = []string{c.settings.url + " " + why}, exitUsage, c.guessAgain()
		}
		if err != nil {
			return c.needsReconcile(err)
		}
		if len(missing) == 0 || fatal {
			return c.waited(missing, status)
		}
		if !hinted {
			hinted = true
			c.hintAwaited(polling, names, limit)
		}
		select {
		case <-deadline.C:
			return c.waited(missing, status)
		case <-ticker.C:
			if !time.Now().Before(end) { // both were due
				return c.waited(missing, status)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// hintAwaited tells a person at once of names that no process has: they may come, and may
// be misspelt.
func (c *call) hintAwaited(ctx context.Context, names []string, limit time.Duration) {
	if c.advice == io.Discard || len(names) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, asideLimit)
	defer cancel()
	infos, err := c.AllProcessInfo(ctx)
	if err != nil {
		return
	}
	for _, name := range names {
		if len(selected(name, infos)) > 0 {
			continue
		}
		c.hint("there is no %s yet; waiting up to %v", name, limit)
		if text := meant(unknownName{text: name}, infos); text != "" {
			c.hint("%s", text)
		}
	}
}

// guessAgain turns to the socket of a supervisord --watch that has begun since.
func (c *call) guessAgain() (err error) {
	url := socketURL(host.DefaultSockets(), os.Geteuid())
	if !c.settings.guessed || url == "" {
		return nil
	}
	c.settings.url, c.settings.guessed = url, false
	c.disconnect()
	c.Client, err = c.connect()
	return err
}

// unavailable describes a server that is starting, or shutting down to restart, and
// may answer at the next poll; "" for any other error.
func unavailable(err error) string {
	switch {
	case client.HasCode(err, client.FaultShutdown):
		return "is shutting down"
	case errors.Is(err, context.DeadlineExceeded):
		return "does not answer"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "closed the connection"
	}
	return unreachable(err)
}

// waited says what is missing, if anything, which has that exit status.
func (c *call) waited(missing []string, status int) error {
	if len(missing) > 0 {
		c.fail(status)
	}
	if c.json {
		return c.emit(map[string]any{"ok": len(missing) == 0, "missing": append([]string{}, missing...)})
	}
	for _, line := range missing {
		c.say("%s", line)
	}
	return nil
}

// missing is what is not yet as it should be, a line each. fatal means that
// waiting will not help. The files are read only once nothing else is missing:
// a change that the daemon has not noticed yet counts too.
func (c *call) missing(ctx context.Context, revision string, names []string) (missing []string, fatal bool, err error) {
	phase, err := c.ReconcileState(ctx)
	if err != nil {
		return nil, false, err
	}
	if phase.Phase != "synced" {
		line := "files: " + phase.Phase
		if phase.Reason != "" {
			line += " (" + phase.Reason + ")"
		}
		missing = append(missing, line)
	}
	for _, d := range phase.Directories {
		if d.Awaited {
			missing = append(missing, "waiting for "+d.Path)
		}
	}
	down, fatal, err := c.notRunning(ctx, names)
	if err != nil {
		return nil, false, err
	}
	missing = append(missing, down...)
	if revision != "" {
		if line, failed := awaits(revision, phase); line != "" {
			missing, fatal = append([]string{line}, missing...), failed
		}
	}
	fatal = fatal || phase.Deferred && strings.HasPrefix(phase.Attempted, revision) // until a pause or the window is over
	fatal = fatal || revision == "" && len(phase.Rejected) > 0                      // it is tried again when the file changes
	if len(missing) > 0 {
		return missing, fatal, nil
	}
	differences, err := c.Diff(ctx, nil)
	for _, d := range differences {
		if len(names) == 0 || slices.ContainsFunc(names, func(name string) bool { return concerns(name, d) }) {
			missing = append(missing, planned.Action{Group: d.Group, Process: d.Process, Action: d.Action, Reason: "pending"}.String())
		}
	}
	if err != nil || len(missing) > 0 {
		return missing, false, err
	}
	// An update that came in between has changed what was looked at before it.
	now, err := c.ReconcileState(ctx)
	if err == nil && now.Generation != phase.Generation {
		missing = []string{"files: an update has just ended"}
	}
	return missing, false, err
}

// concerns reports whether a difference is about what a name means.
func concerns(name string, d planned.Action) bool {
	group, _, _ := strings.Cut(name, ":")
	return group == d.Group || isGlob(name)
}

// processID is what a process is known by.
type processID struct{ group, name string }

// configs asks for the configuration of every process.
func (c *call) configs(ctx context.Context) (map[processID]client.ConfigInfo, error) {
	configured, err := c.AllConfigInfo(ctx)
	configs := make(map[processID]client.ConfigInfo, len(configured))
	for _, config := range configured {
		configs[processID{config.Group, config.Name}] = config
	}
	return configs, err
}

// notRunning is the processes that should run and do not, a line each; fatal if one
// of them was given up. Of named processes every one should run.
func (c *call) notRunning(ctx context.Context, names []string) (lines []string, fatal bool, err error) {
	infos, err := c.AllProcessInfo(ctx)
	if err != nil {
		return nil, false, err
	}
	configs, err := c.configs(ctx)
	if err != nil {
		return nil, false, err
	}
	intents, err := c.knownIntents(ctx)
	if err != nil {
		return nil, false, err
	}
	if len(names) > 0 {
		var named []client.ProcessInfo
		for _, name := range names {
			picked := selected(name, infos)
			if len(picked) == 0 {
				lines = append(lines, name+": no such process")
			}
			named = append(named, picked...)
		}
		infos = named
	}
	for _, info := range infos {
		config := configs[processID{info.Group, info.Name}]
		switch {
		case info.State == state.Running, !config.Autostart && len(names) == 0:
			continue
		case len(names) == 0 && slices.ContainsFunc(intentsOf(intents, info.Group, info.Name), func(i client.Intent) bool { return i.Kind == "disabled" }):
			continue
		case strings.HasPrefix(info.Description, "waiting for "): // it is to be started
		case info.State == state.Exited && slices.Contains(config.ExitCodes, info.ExitStatus):
			continue
		case info.State == state.Fatal:
			fatal = true
		}
		line := display(info.Group, info.Name) + ": " + info.StateName
		if info.Description != "" {
			line += " (" + info.Description + ")"
		}
		lines = append(lines, line)
	}
	return lines, fatal, nil
}

// parseTimeout takes -t SECONDS out of the call's words.
func (c *call) parseTimeout() (names []string, limit time.Duration, err error) {
	limit = defaultWait
	for i := 0; i < len(c.words); i++ {
		text, ok := strings.CutPrefix(c.words[i], "-t")
		if !ok {
			names = append(names, c.words[i])
			continue
		}
		if text == "" && i+1 < len(c.words) {
			i++
			text = c.words[i]
		}
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil || !(seconds >= 0 && seconds < 1e9) {
			return nil, 0, c.usage(exitUsage, "%s is not a number of seconds", fmt.Sprintf("%q", text))
		}
		limit = time.Duration(seconds * float64(time.Second))
	}
	if slices.Contains(names, "all") {
		names = nil
	}
	return names, limit, nil
}
