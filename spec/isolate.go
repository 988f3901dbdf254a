package spec

import (
	"bytes"
	"errors"
	"maps"
	"strings"
)

// LoadIsolated is Load with each included file for itself: one that is wrong is
// replaced by its last good content, or left out if there is none or that is
// wrong as well, until what is left stands. bad are the mistakes in the files as
// they are that were set aside so; Config.LeftOut are the files left out.
//
// A mistake in the main file, or one that stays whatever is left out, is the
// error, as of Load. lastGood is asked for files by their path.
//
// Source: reconciler.md, on_invalid.
func LoadIsolated(h Host, path string, o Options, lastGood func(file string) (content []byte, ok bool)) (cfg *Config, bad []*Error, err error) {
	o.Content = maps.Clone(o.Content)
	if o.Content == nil {
		o.Content = map[string][]byte{}
	}
	iso := isolation{options: o, lastGood: lastGood, replaced: map[string]bool{}, absent: map[string]bool{}}
	for {
		l := newLoad(h, path, o)
		l.absent = iso.absent
		cfg, err = l.run()
		var mistakes *LoadError
		if !errors.As(err, &mistakes) {
			if cfg != nil {
				cfg.LeftOut = iso.leftOut
			}
			return cfg, iso.bad, err
		}
		if !iso.setAside(l.sources, mistakes.All()) {
			return nil, iso.bad, err
		}
	}
}

// isolation is what one LoadIsolated has set aside.
type isolation struct {
	options  Options
	lastGood func(file string) (content []byte, ok bool)
	replaced map[string]bool // files that have their last good content
	absent   map[string]bool // names of programs in the files left out
	leftOut  []string
	bad      []*Error
}

// setAside replaces or leaves out every included file with a mistake. It reports
// whether there was one.
func (iso *isolation) setAside(sources []*source, mistakes []*Error) bool {
	in := make(map[string][]*Error)
	for _, e := range mistakes {
		in[e.File] = append(in[e.File], e)
	}
	progress := false
	for _, from := range sources {
		found := in[from.shown]
		if from.sameFile(sources[0]) || len(found) == 0 {
			continue
		}
		progress = true
		delete(in, from.shown) // two patterns may match it
		if !iso.replaced[from.path] {
			iso.bad = append(iso.bad, found...)
		}
		iso.replace(from)
	}
	return progress
}

// replace gives a file its last good content, or leaves it out.
func (iso *isolation) replace(from *source) {
	if !iso.replaced[from.path] {
		iso.replaced[from.path] = true
		if content, ok := iso.lastGood(from.path); ok && !bytes.Equal(content, iso.options.Content[from.path]) {
			iso.options.Content[from.path] = bytes.Clone(content)
			if iso.options.Content[from.path] == nil {
				iso.options.Content[from.path] = []byte{}
			}
			return
		}
	}
	iso.options.Content[from.path] = nil
	iso.leftOut = append(iso.leftOut, from.path)
	for _, s := range from.doc.Sections {
		for _, prefix := range []string{programPrefix, fastCGIPrefix} {
			if name, ok := strings.CutPrefix(s.Name, prefix); ok {
				iso.absent[name] = true
			}
		}
	}
}
