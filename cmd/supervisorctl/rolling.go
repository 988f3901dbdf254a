package main

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"supervisord/rpc/client"
	"supervisord/spec"
)

// takeRolling takes --rolling[=N] out of the call's words.
func (c *call) takeRolling() (size string, given bool) {
	for i, word := range c.words {
		option, text, _ := strings.Cut(word, "=")
		if option == "--rolling" {
			c.words = slices.Delete(c.words, i, i+1)
			return text, true
		}
	}
	return "", false
}

// startWithDeps starts each process after what it depends on.
func (c *call) startWithDeps(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return c.usage(exitUsage, "start --with-deps requires a process name")
	}
	for _, name := range names {
		results, err := c.StartWithDependencies(ctx, name)
		switch {
		case client.HasCode(err, client.FaultBadName):
			n := spec.ParseNamespec(name)
			results = []client.Result{{Group: n.Group, Name: n.Process, Status: client.FaultBadName}}
		case err != nil:
			return c.needsReconcile(err)
		}
		if err := c.report(starting, results); err != nil {
			return err
		}
	}
	return nil
}

// restartRolling restarts what runs of some names, a few at a time: the next when those
// are RUNNING again. It ends at the first that is not.
func (c *call) restartRolling(ctx context.Context, size string) error {
	atOnce := 1
	if size != "" {
		n, err := strconv.Atoi(size)
		if err != nil || n < 1 {
			return c.usage(exitUsage, "--rolling=%s is not a number of processes", size)
		}
		atOnce = n
	}
	if len(c.words) == 0 {
		return c.usage(exitFailed, "restart --rolling requires a process name")
	}
	names, err := c.running(ctx, c.words)
	if err != nil {
		return err
	}
	for done := 0; done < len(names); {
		batch := names[done:min(done+atOnce, len(names))]
		failed, err := c.restartBatch(ctx, batch)
		if err != nil {
			return err
		}
		if done += len(batch); failed {
			if left := names[done:]; len(left) > 0 {
				c.say("stopped here: %s not restarted", strings.Join(left, ", "))
			}
			return nil
		}
	}
	return nil
}

// restartBatch restarts some processes at once, and reports whether one has failed.
func (c *call) restartBatch(ctx context.Context, names []string) (failed bool, err error) {
	for _, op := range []operation{stopping, starting} {
		type answer struct {
			result client.Result
			err    error
		}
		answers := make([]chan answer, len(names))
		for i, name := range names {
			answers[i] = make(chan answer, 1)
			go func() { // ends with its call
				result, err := one(ctx, c.Client, op, name)
				answers[i] <- answer{result, err}
			}()
		}
		for _, done := range answers {
			a := <-done
			if a.err == nil {
				a.err = c.report(op, []client.Result{a.result})
			}
			if err == nil {
				err = a.err
			}
			failed = failed || a.result.Status != client.Success && a.result.Status != client.FaultNotRunning
		}
		if failed || err != nil {
			return failed, err
		}
	}
	return false, nil
}

// running are the processes of some names that are started, in the server's order.
func (c *call) running(ctx context.Context, words []string) (names []string, err error) {
	infos, err := c.AllProcessInfo(ctx)
	if err != nil {
		return nil, err
	}
	for _, word := range words {
		picked := infos
		if word != "all" {
			picked = selected(word, infos)
		}
		if len(picked) == 0 {
			c.noSuch(word, exitFailed)
		}
		for _, info := range picked {
			if name := display(info.Group, info.Name); info.State.InRunning() && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}
