package spec

import "cmp"

// Setting is one key of a process, as a file would give it, and where it comes from.
type Setting struct {
	Key   string // as in the file; a variable is "environment NAME"
	Value string // of a variable "set": values of variables are never shown
	Unit  string // of a number, such as seconds; "" for none
	// File and Line are where the key stands; Line is 0 where no file gives it.
	File string
	Line int
	// Default is set where the value is that of a key that is not given.
	Default bool
}

// Settings are the keys of a process of this configuration, in the order of the table of
// fields. Those of a FastCGI socket and of listeners are left out where it has none.
func (c *Config) Settings(g *Group, p *Process) []Setting {
	list := settings(c, processFields, p, defaultProcess, p.Origin.Section)
	if g.Listener != nil {
		list = append(list, settings(c, listenerFields, g.Listener, &noListener, p.Origin.Section)...)
	}
	return list
}

func settings[S any](c *Config, fields []field[S], p, defaults *S, section string) (list []Setting) {
	for i := range fields {
		f := &fields[i]
		s := Setting{Key: f.name, Value: f.show(p), Unit: f.unit}
		if s.File, s.Line = c.PlaceOf(section, f.name); !c.gives(section, f.name) {
			s.File, s.Line = "", 0
		}
		s.Default = s.Line == 0 && f.same(p, defaults)
		if s.Value == "" && s.Line == 0 {
			continue
		}
		if f.each == nil {
			list = append(list, s)
			continue
		}
		for _, one := range f.each(defaults, p) {
			s.Key, s.Value = one.Key, cmp.Or(one.New, "not set")
			list = append(list, s)
		}
	}
	return list
}

// gives reports whether a section has a key.
func (c *Config) gives(section, key string) bool {
	s := c.sections[section]
	return s != nil && s.find(key) != nil
}
