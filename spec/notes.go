package spec

import "slices"

// notes are what building something has to say, in the order in which Supervisor
// would come to it.
type notes struct {
	errs     []*Error
	warnings []string // Supervisor's, for its log
	advice   []*Error // ours
}

func (n *notes) add(m notes) {
	n.errs = append(n.errs, m.errs...)
	n.warnings = append(n.warnings, m.warnings...)
	n.advice = append(n.advice, m.advice...)
}

// take returns what was noted, and starts over.
func (n *notes) take() notes {
	taken := *n
	*n = notes{}
	return taken
}

// distinct leaves out mistakes that were noted before: a section of which
// several processes or groups are made is read several times.
func distinct(errs []*Error) []*Error {
	type place struct {
		file, section, key, text string
		line                     int
	}
	seen := make(map[place]bool, len(errs))
	var list []*Error
	for _, e := range errs {
		text := e.Plain
		if text == "" {
			text = e.Text
		}
		p := place{e.File, e.Section, e.Key, text, e.Line}
		if !seen[p] {
			seen[p] = true
			list = append(list, e)
		}
	}
	return slices.Clip(list)
}
