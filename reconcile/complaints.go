package reconcile

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"supervisord/spec"
)

// complaint is something that is wrong with files, as the log has it.
type complaint struct {
	about   string // what makes two of them one: the text, but for the lines of the files
	text    string
	level   slog.Level
	files   []string // that it is about; its end is told when they can be seen. None: it is not told
	section string
	mistake bool // the file cannot be used
}

// logProblems tells of each thing that is wrong with the files once when it comes and
// once when it is over, whatever else is wrong with them.
func (l *loop) logProblems(v *view) {
	found := v.complaints()
	stands := make(map[string]bool)
	for _, c := range found {
		stands[c.about] = true
	}
	told := make(map[string]bool)
	var standing []complaint
	for _, c := range l.complaints {
		told[c.about] = true
		switch {
		case stands[c.about] || len(c.files) > 0 && !v.canTell(&c):
			standing = append(standing, c)
		case len(c.files) > 0:
			l.log.Info("reconcile: no longer " + c.text)
		}
	}
	for _, c := range found {
		if told[c.about] {
			continue
		}
		told[c.about] = true
		var where []any
		if len(c.files) > 0 {
			where = []any{"file", c.files[0], "section", c.section}
		}
		l.log.Log(context.Background(), c.level, "reconcile: "+c.text, where...)
		standing = append(standing, c)
	}
	l.complaints = standing
}

// complaints are what is wrong with the files of a view.
func (v *view) complaints() (list []complaint) {
	add := func(level slog.Level, word string, e *spec.Error) {
		anywhere := *e
		anywhere.Line = 0
		c := complaint{about: word + ": " + anywhere.Report(), text: word + ": " + e.Report(), level: level, files: []string{e.File}, section: e.Section}
		if c.mistake = level == slog.LevelError; e.Also != "" {
			c.about, c.files = word+": ["+e.Section+"] in "+e.Also+" and "+e.File, []string{e.File, e.Also}
		}
		list = append(list, c)
	}
	if v.config != nil {
		for _, e := range v.config.Advice {
			if e.Also != "" {
				add(slog.LevelWarn, "defined twice", e)
			}
		}
	}
	for _, e := range v.bad {
		add(slog.LevelError, "invalid", e)
	}
	for _, file := range slices.Sorted(maps.Keys(v.untrusted)) {
		text := "untrusted: " + v.untrusted[file]
		if v.settings.Permissions == "enforce" {
			text = "ignored: " + file + ": " + v.untrusted[file]
		}
		list = append(list, complaint{about: text, text: text, level: slog.LevelWarn, files: []string{file}})
	}
	for _, e := range v.withheld {
		add(slog.LevelWarn, "left out", e)
	}
	for _, note := range v.notes {
		list = append(list, complaint{about: note, text: note, level: slog.LevelWarn})
	}
	return list
}

// canTell reports whether something that a view does not have is over. It may be that
// its files could not be seen, or were not asked for it since others cannot be used.
func (v *view) canTell(c *complaint) bool {
	for _, file := range c.files {
		state, _ := v.special(file)
		switch {
		case c.mistake && state == FileInvalid: // other mistakes are in its place
		case state != "" || v.seen != nil && !v.seen[file]:
			return false
		case v.config == nil && !c.mistake || v.config != nil && slices.Contains(v.config.Unreadable, file):
			return false
		}
	}
	return true
}
