package value

import (
	"fmt"
	"slices"
	"strings"
)

// Condition is what a process is waited for to be, or to have been: a set, of which
// one is enough. Ours beyond Supervisor.
type Condition uint8

// The conditions.
const (
	UntilRunning Condition = 1 << iota // it is RUNNING
	UntilStarted                       // there is a process, or there was one that has ended by itself
	UntilExited                        // it has ended by itself
	UntilDone                          // it has ended by itself as its exit codes expect, since it was defined so
	UntilFatal                         // it is FATAL; only the plug-in has a word for it
)

// conditionNames are the words of depends_on, and then that of only the plug-in.
var conditionNames = []string{"running", "started", "exited", "done", "fatal"}

// ownConditions is how many of them depends_on knows.
const ownConditions = 4

// String is the words of a set, with commas between them.
func (c Condition) String() string {
	var words []string
	for i, name := range conditionNames {
		if c&(1<<i) != 0 {
			words = append(words, name)
		}
	}
	return strings.Join(words, ",")
}

// Dependency is one word of depends_on: what is waited for before a start.
type Dependency struct {
	// Name is that of a group, a program or a process, or group:process.
	Name  string
	Until Condition
	// Optional: one that is FATAL, missing or disabled is not waited for.
	Optional bool `json:",omitempty"`
}

// String is the word as a file has it.
func (d Dependency) String() string {
	text := d.Name
	if d.Until != UntilRunning {
		text += ":" + d.Until.String()
	}
	if d.Optional {
		text += "?"
	}
	return text
}

// ForeignDependsOn reports whether a value of depends_on is not meant for us: files that
// were written for Supervisor, which ignores the key, have it with commas, also of programs
// that end at once and would be waited for for ever.
func ForeignDependsOn(s string) bool { return strings.Contains(s, ",") }

// ParseDependsOn reads names with space between them. A last :word is the condition if it is
// one, and a ? may end it all. g:* is the group g. What is foreign has no names.
func ParseDependsOn(s string) (list []Dependency, err error) {
	if ForeignDependsOn(s) {
		return nil, nil
	}
	for _, word := range strings.FieldsFunc(s, IsSpace) {
		d := Dependency{Until: UntilRunning}
		d.Name, d.Optional = strings.CutSuffix(word, "?")
		if i := strings.LastIndexByte(d.Name, ':'); i >= 0 {
			if at := slices.Index(conditionNames[:ownConditions], d.Name[i+1:]); at >= 0 {
				d.Name, d.Until = d.Name[:i], 1<<at
			} else if strings.Count(d.Name, ":") > 1 {
				return nil, fmt.Errorf("there is no condition %s", PyRepr(d.Name[i+1:]))
			}
		}
		if d.Name, err = parseTarget(d.Name); err != nil {
			return nil, err
		}
		if !slices.Contains(list, d) {
			list = append(list, d)
		}
	}
	return list, nil
}

// ParseTargets reads names with space or commas between them, without conditions.
func ParseTargets(s string) (list []string, err error) {
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || IsSpace(r) }) {
		name, err := parseTarget(word)
		if err != nil {
			return nil, err
		}
		if i := strings.LastIndexByte(word, ':'); slices.Contains(conditionNames[:ownConditions], word[i+1:]) && i >= 0 {
			return nil, fmt.Errorf("%s has a condition", PyRepr(word))
		}
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list, nil
}

// parseTarget reads the name of what is meant.
func parseTarget(s string) (string, error) {
	group, process, both := strings.Cut(s, ":")
	switch {
	case group == "" || both && process == "":
		return "", fmt.Errorf("%s is not the name of a program, a process or a group", PyRepr(s))
	case strings.ContainsAny(process, ":?") || strings.ContainsAny(group, "?/"):
		return "", fmt.Errorf("%s is not the name of a program, a process or a group", PyRepr(s))
	case process == "*":
		return group, nil
	}
	return s, nil
}

// ParseWaitFor reads the value of the start-order plug-in's dependent_startup_wait_for:
// names with space between them, each followed by a colon and the states of which one
// is enough, with commas between those.
func ParseWaitFor(s string) (list []Dependency, err error) {
	for _, word := range strings.FieldsFunc(s, IsSpace) {
		i := strings.LastIndexByte(word, ':')
		if i < 0 {
			return nil, fmt.Errorf("%s has no state", PyRepr(word))
		}
		d := Dependency{}
		if d.Name, err = parseTarget(word[:i]); err != nil {
			return nil, err
		}
		for _, name := range strings.Split(word[i+1:], ",") {
			until, known := waitForStates[strings.ToLower(name)]
			if !known {
				return nil, fmt.Errorf("there is no state %s to wait for", PyRepr(name))
			}
			d.Until |= until
		}
		list = append(list, d)
	}
	return list, nil
}

// waitForStates are the states that the plug-in's users wait for.
var waitForStates = map[string]Condition{
	"running": UntilRunning, "starting": UntilStarted, "exited": UntilExited, "fatal": UntilFatal,
}

// alienConditions are what other tools call their conditions.
var alienConditions = []string{"ready", "healthy", "service_started", "service_healthy", "service_completed_successfully",
	"completed", "complete", "success", "finished", "up", "fatal", "stopped", "backoff", "starting"}

// MeantAsCondition reports whether a word that stands where a condition may was probably
// meant to be one, and then which one, "" where that is not known.
func MeantAsCondition(word string) (condition string, is bool) {
	if near := Nearest(strings.ToLower(word), conditionNames[:ownConditions]); near != "" {
		return near, true
	}
	return "", slices.Contains(alienConditions, strings.ToLower(word))
}
