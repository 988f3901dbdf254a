package value

import (
	"slices"
	"strconv"
	"strings"
)

// Names are what a value may name in %(name)s: a stack of layers, of which the
// uppermost that knows a name gives its value. Layers are shared, never copied,
// so that the environment stands in memory once however many programs there
// are. A nil *Names knows nothing. A Names is never changed once made, and may
// be used from many goroutines.
//
// Source: contract/config.md section 3.
type Names struct {
	below *Names
	vars  []Var
	env   Env // each KEY is the name ENV_KEY
}

// Var is one name and its value: a text, or a number where made by IntVar.
type Var struct {
	name  string
	text  string // of a number, its decimal digits
	n     int64
	isInt bool
}

// TextVar is a name with a text.
func TextVar(name, value string) Var { return Var{name: name, text: value} }

// IntVar is a name with a number, which %(name)d and its like can format.
func IntVar(name string, value int64) Var {
	return Var{name: name, text: strconv.FormatInt(value, 10), n: value, isInt: true}
}

// With is n with more names on top.
func (n *Names) With(vars ...Var) *Names { return &Names{below: n, vars: vars} }

// WithEnv is n with the name ENV_KEY on top for each KEY of env, which the
// caller must not change afterwards. A nil or empty env adds nothing.
func (n *Names) WithEnv(env Env) *Names {
	if len(env) == 0 {
		return n
	}
	return &Names{below: n, env: env}
}

// lookup finds a name in the uppermost layer that knows it.
func (n *Names) lookup(name string) (Var, bool) {
	key, isEnv := strings.CutPrefix(name, "ENV_")
	for ; n != nil; n = n.below {
		for _, v := range n.vars {
			if v.name == name {
				return v, true
			}
		}
		if !isEnv {
			continue
		}
		if value, ok := n.env[key]; ok {
			return TextVar(name, value), true
		}
	}
	return Var{}, false
}

// all is every name that is known, sorted.
func (n *Names) all() []string {
	var names []string
	for ; n != nil; n = n.below {
		for _, v := range n.vars {
			names = append(names, v.name)
		}
		for key := range n.env {
			names = append(names, "ENV_"+key)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
