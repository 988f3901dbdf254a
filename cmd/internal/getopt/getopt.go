// Package getopt reads command lines by the rules, and with the error texts, of
// Python's getopt, which both of Supervisor's programs use. It is pure: it
// neither prints nor exits.
//
// Source: contract/config.md section 9.
package getopt

import (
	"fmt"
	"strings"
)

// Opt is one option as it was met.
type Opt struct {
	Name  string // "-c" or the whole "--configuration", however it was shortened
	Value string // "" for an option without an argument
}

// Parse reads options from the start of args (without the program's name) up to
// the first argument that is not one, up to "--", which is dropped, or up to a
// lone "-", which is not. rest is what follows.
//
// short names the single letters, each followed by a colon if it takes an
// argument; long names the words, each followed by = if it takes one. A word may
// be shortened as long as it stays unique, except one that begins with !: it
// must be written whole, and so takes no short form away from another. The
// argument of a letter may follow it at once or as the next argument; that of a
// word after = or as the next.
//
// The error is the first mistake, in Python's words, such as "option --no not a
// unique prefix".
func Parse(args []string, short string, long []string) (opts []Opt, rest []string, err error) {
	p := parser{args: args, short: short, long: long}
	for len(p.args) > 0 {
		arg := p.args[0]
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			break
		}
		p.args = p.args[1:]
		if arg == "--" {
			break
		}
		if word, ok := strings.CutPrefix(arg, "--"); ok {
			err = p.word(word)
		} else {
			err = p.letters(arg[1:])
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return p.opts, p.args, nil
}

type parser struct {
	args  []string // not read yet
	short string
	long  []string
	opts  []Opt
}

// word reads one long option, given without its dashes.
func (p *parser) word(word string) error {
	typed, value, hasValue := strings.Cut(word, "=")
	name, takesValue, err := p.complete(typed)
	if err != nil {
		return err
	}
	switch {
	case takesValue && !hasValue:
		if value, err = p.next("--" + name); err != nil {
			return err
		}
	case !takesValue && hasValue:
		return fmt.Errorf("option --%s must not have an argument", name)
	}
	p.opts = append(p.opts, Opt{Name: "--" + name, Value: value})
	return nil
}

// complete finds the one word that begins as typed.
func (p *parser) complete(typed string) (name string, takesValue bool, err error) {
	var found []string
	for _, l := range p.long {
		l, whole := strings.CutPrefix(l, "!")
		name, takesValue := strings.CutSuffix(l, "=")
		if name == typed {
			return name, takesValue, nil
		}
		if strings.HasPrefix(l, typed) && !whole {
			found = append(found, l)
		}
	}
	switch len(found) {
	case 0:
		return "", false, fmt.Errorf("option --%s not recognized", typed)
	case 1:
		name, takesValue = strings.CutSuffix(found[0], "=")
		return name, takesValue, nil
	}
	return "", false, fmt.Errorf("option --%s not a unique prefix", typed)
}

// letters reads one argument of single letters, given without its dash.
func (p *parser) letters(cluster string) error {
	for i, letter := range cluster {
		name := "-" + string(letter)
		at := strings.IndexRune(p.short, letter)
		if at < 0 || letter == ':' {
			return fmt.Errorf("option %s not recognized", name)
		}
		if !strings.HasPrefix(p.short[at+len(string(letter)):], ":") {
			p.opts = append(p.opts, Opt{Name: name})
			continue
		}
		value := cluster[i+len(string(letter)):]
		if value == "" {
			var err error
			if value, err = p.next(name); err != nil {
				return err
			}
		}
		p.opts = append(p.opts, Opt{Name: name, Value: value})
		return nil
	}
	return nil
}

// next takes the next argument as the value of the named option.
func (p *parser) next(name string) (string, error) {
	if len(p.args) == 0 {
		return "", fmt.Errorf("option %s requires argument", name)
	}
	value := p.args[0]
	p.args = p.args[1:]
	return value, nil
}
