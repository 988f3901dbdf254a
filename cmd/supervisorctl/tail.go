package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"supervisord/rpc/client"
	"supervisord/spec/value"
)

// tailBytes is how much of a log is shown unless a number is given.
const tailBytes = 1600

// tail prints the end of a process's log, or follows it.
func (c *call) tail(ctx context.Context) error {
	words := c.words
	if len(words) == 0 {
		return c.usage(exitFailed, "too few arguments")
	}
	if len(words) > 3 {
		return c.usage(exitFailed, "too many arguments")
	}
	modifier := ""
	if strings.HasPrefix(words[0], "-") {
		modifier, words = words[0], words[1:]
	}
	if len(words) == 0 {
		return c.argumentError("Error: tail requires process name")
	}
	name, channel := words[0], "stdout"
	if len(words) > 1 {
		given := words[len(words)-1]
		if channel = strings.ToLower(given); channel != "stdout" && channel != "stderr" {
			return c.argumentError("Error: bad channel %s", value.PyRepr(given))
		}
	}
	if modifier == "-f" {
		return c.follow(ctx, logSource(name, channel))
	}
	bytes, ok := tailBytes, true
	if modifier != "" {
		if bytes, ok = pythonInt(modifier[1:]); !ok {
			return c.argumentError("Error: bad argument %s", modifier)
		}
	}
	text, err := c.ReadLog(ctx, name, channel, -bytes, 0)
	if client.HasCode(err, client.FaultFailed) && c.advice != io.Discard {
		if device := c.device(ctx, name, channel); device != "" {
			defer c.hint("What %s writes to %s goes to %s, which cannot be read back.", name, channel, device)
		}
	}
	return c.showLog(name, text, err)
}

// device is the special file, such as /dev/stdout, that a process's log is; "" for
// any other.
func (c *call) device(ctx context.Context, name, channel string) string {
	info, _ := c.ProcessInfo(ctx, name) // what is not known has no device
	log := info.StdoutLog
	if channel == "stderr" {
		log = info.StderrLog
	}
	if strings.HasPrefix(log, "/dev/") || strings.HasPrefix(log, "/proc/") {
		return log
	}
	return ""
}

// maintail prints the end of the daemon's own log, or follows it.
func (c *call) maintail(ctx context.Context) error {
	if len(c.words) > 1 {
		return c.usage(exitFailed, "too many arguments")
	}
	bytes := tailBytes
	if len(c.words) == 1 {
		word := c.words[0]
		if word == "-f" {
			return c.follow(ctx, followedLog{path: "/mainlogtail"})
		}
		number, ok := strings.CutPrefix(word, "-")
		if ok {
			bytes, ok = pythonInt(number)
		}
		if !ok {
			return c.argumentError("Error: bad argument %s", word)
		}
	}
	text, err := c.ReadMainLog(ctx, -bytes, 0)
	if client.HasCode(err, client.FaultBadName) {
		return err // which no server gives
	}
	return c.showLog("supervisord", text, err)
}

// argumentError says what is wrong with the arguments, without the help.
func (c *call) argumentError(format string, args ...any) error {
	c.say(format, args...)
	c.fail(exitFailed)
	return errUsage
}

// unreadableLog is the original's words for a log that is there and cannot be read.
const unreadableLog = "unknown error reading log"

// showLog prints what was read of a log, or why nothing was.
func (c *call) showLog(name, text string, err error) error {
	var why string
	switch {
	case err == nil:
		c.say("%s", text)
		return nil
	case client.HasCode(err, client.FaultNoFile):
		why = "no log file"
	case client.HasCode(err, client.FaultFailed):
		why = unreadableLog
	case client.HasCode(err, client.FaultBadName):
		why = "no such process name"
		c.unknown = append(c.unknown, unknownName{text: name})
	default:
		return err
	}
	c.say("%s: ERROR (%s)", name, why)
	c.fail(exitFailed)
	return nil
}

const pressCtrlC = "==> Press Ctrl-C to exit <=="

// followedLog is a stream of the server's: of a process's log, or without a name of the
// daemon's own.
type followedLog struct{ path, name, channel string }

// logSource is where the server streams a process's log.
func logSource(name, channel string) followedLog {
	return followedLog{"/logtail/" + name + "/" + channel, name, channel}
}

// follow copies a stream to standard output until the user presses Ctrl-C or
// the server ends it. Neither that nor an error changes the exit status.
func (c *call) follow(ctx context.Context, log followedLog) error {
	c.say(pressCtrlC)
	ctx, stop := interruptible(ctx)
	defer stop()
	if !c.stream(ctx, log) && log.name != "" {
		c.missingLog(ctx, log)
	}
	if ctx.Err() != nil {
		c.say("")
	}
	return nil
}

// missingLog tells a person whether it is the process or its log that is not there.
func (c *call) missingLog(ctx context.Context, log followedLog) {
	if c.advice == io.Discard {
		return
	}
	switch _, err := c.ProcessInfo(ctx, log.name); {
	case client.HasCode(err, client.FaultBadName):
		c.unknown = append(c.unknown, unknownName{text: log.name})
	case err == nil:
		c.hint("%s has no log of its %s.", log.name, log.channel)
	}
}

// stream copies a stream of the server to standard output. found is false if the
// server has none of that name. It may be called from any goroutine.
func (c *call) stream(ctx context.Context, log followedLog) (found bool) {
	stream, err := c.Stream(ctx, (&url.URL{Path: log.path}).EscapedPath())
	if err != nil {
		return c.streamFailed(ctx, log, err)
	}
	defer stream.Close()
	out := another(c.out)
	defer endText(out)
	io.Copy(out, stream) // the server going away is the end of the log
	return true
}

// streamFailed says why there is no stream: in the original's words, but for a log
// that is there and cannot be read, which the original tries for ever. found is
// stream's.
func (c *call) streamFailed(ctx context.Context, log followedLog, err error) (found bool) {
	var e *client.Error
	switch {
	case ctx.Err() != nil:
	case errors.As(err, &e) && e.Status == http.StatusNotFound && c.unreadable(ctx, log):
	case errors.As(err, &e) && e.Status != 0:
		fmt.Fprintf(c.errs, "%s%s Cannot read, status code %d\n", c.settings.url, log.path, e.Status)
		return e.Status != http.StatusNotFound
	default:
		class, text := pythonError(err)
		fmt.Fprintf(c.errs, "%s%s Cannot connect, error: <class '%s'> (%s)\n", c.settings.url, log.path, class, text)
	}
	return true
}

// unreadable says so where a log that cannot be followed is there but cannot be read
// either, as /dev/stdout cannot.
func (c *call) unreadable(ctx context.Context, log followedLog) bool {
	name, why := "supervisord", unreadableLog
	var err error
	if log.name == "" {
		_, err = c.ReadMainLog(ctx, -1, 0)
	} else {
		_, err = c.ReadLog(ctx, log.name, log.channel, -1, 0)
	}
	if !client.HasCode(err, client.FaultFailed) {
		return false
	}
	if log.name != "" {
		name = log.name
		if device := c.device(ctx, name, log.channel); device != "" {
			why += ": it is " + device
		}
	}
	fmt.Fprintf(c.errs, "%s: ERROR (%s)\n", name, why)
	return true
}

// pythonInt reads a number as Python's int does: a sign, and underscores
// between digits.
func pythonInt(s string) (n int, ok bool) {
	s = strings.TrimSpace(s)
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	const most = 1<<31 - 1 // what the server can be asked for
	digit := false
	for _, r := range s {
		switch {
		case '0' <= r && r <= '9':
			n = int(min(int64(n)*10+int64(r-'0'), most))
			digit = true
		case r == '_' && digit:
			digit = false
		default:
			return 0, false
		}
	}
	if negative {
		n = -n
	}
	return n, digit
}
