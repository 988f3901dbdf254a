package mainlog

import (
	"log/slog"
	"strings"

	"supervisord/runtime/state"
)

// Supervisor's levels, in the order of state.Levels. Info, warn, error and debug
// are slog's own.
const (
	LevelCritical slog.Level = 12 - 4*iota
	LevelError
	LevelWarn
	LevelInfo
	LevelDebug
	LevelTrace
	LevelBlather
)

// levelAt is the level of an index in state.Levels.
func levelAt(i int) slog.Level { return LevelCritical - 4*slog.Level(i) }

// ParseLevel is the level of a name as loglevel takes it, in any case; ok is false
// for any other word.
//
// Source: contract/config.md section 4, log level.
func ParseLevel(name string) (level slog.Level, ok bool) {
	for i, l := range state.Levels {
		if strings.EqualFold(name, l.Name) {
			return levelAt(i), true
		}
	}
	return 0, false
}

// lineName is the name in a line: that of the next level at or below.
func lineName(level slog.Level) string {
	for i, l := range state.Levels {
		if level >= levelAt(i) {
			return l.Line
		}
	}
	return state.Levels[len(state.Levels)-1].Line
}
