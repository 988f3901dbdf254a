package mainlog

import (
	"log/slog"
	"strings"
)

// Supervisor's levels. Info, warn, error and debug are slog's own.
const (
	LevelCritical slog.Level = 12
	LevelError    slog.Level = slog.LevelError
	LevelWarn     slog.Level = slog.LevelWarn
	LevelInfo     slog.Level = slog.LevelInfo
	LevelDebug    slog.Level = slog.LevelDebug
	LevelTrace    slog.Level = -8
	LevelBlather  slog.Level = -12
)

// levels lists them from the most severe: the name in the configuration and the
// one in the lines.
var levels = []struct {
	level      slog.Level
	name, line string
}{
	{LevelCritical, "critical", "CRIT"},
	{LevelError, "error", "ERRO"},
	{LevelWarn, "warn", "WARN"},
	{LevelInfo, "info", "INFO"},
	{LevelDebug, "debug", "DEBG"},
	{LevelTrace, "trace", "TRAC"},
	{LevelBlather, "blather", "BLAT"},
}

// ParseLevel is the level of a name as loglevel takes it, in any case; ok is false
// for any other word.
//
// Source: contract/config.md section 4, log level.
func ParseLevel(name string) (level slog.Level, ok bool) {
	for _, l := range levels {
		if strings.EqualFold(name, l.name) {
			return l.level, true
		}
	}
	return 0, false
}

// lineName is the name in a line: that of the next level at or below.
func lineName(level slog.Level) string {
	for _, l := range levels {
		if level >= l.level {
			return l.line
		}
	}
	return levels[len(levels)-1].line
}
