package mainlog

import (
	"context"
	"log/slog"
	"time"
)

// handler prints records as Supervisor's lines. Attributes and groups are
// ignored: the message is the line.
type handler struct {
	level slog.Level
	put   func(record)
}

// record is one line, or several if the message has line breaks.
type record struct {
	prefix string // time and level, with a space at the end
	text   string
	minor  bool // below info
}

// size is how many bytes line has.
func (r record) size() int { return len(r.prefix) + len(r.text) + 1 }

// line is the record as a file has it.
func (r record) line() []byte {
	b := make([]byte, 0, r.size())
	b = append(b, r.prefix...)
	b = append(b, r.text...)
	return append(b, '\n')
}

func newRecord(t time.Time, level slog.Level, text string) record {
	return record{prefix: t.Local().Format("2006-01-02 15:04:05,000 ") + lineName(level) + " ", text: text, minor: level < LevelInfo}
}

func (h *handler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	h.put(newRecord(r.Time, r.Level, r.Message))
	return nil
}

func (h *handler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h *handler) WithGroup(string) slog.Handler      { return h }
