package spec

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"supervisord/runtime/state"
	"supervisord/spec/value"
)

// kind is a type of value: how it is read, what would be right, and, where fields
// of a table have it, how two values are compared and one is shown.
type kind[T any] struct {
	name  string // what a value is called, such as integer
	parse func(h value.Host, s string) (T, error)
	hint  string
	form[T]
}

// form is how values of a type are compared, shown and fingerprinted, however they
// were read.
type form[T any] struct {
	equal func(a, b T) bool
	show  func(v T) string        // as a file would give it; "" for nothing set
	feed  func(d *digest, v T)    // to a fingerprint: the same exactly if equal
	plain func(n normal, v T) any // for Normal
}

// pure is a kind that needs nothing of the host.
func pure[T any](name string, parse func(string) (T, error), f form[T], hint string) kind[T] {
	return kind[T]{name, func(_ value.Host, s string) (T, error) { return parse(s) }, hint, f}
}

// same compares values that have no parts.
func same[T comparable](a, b T) bool { return a == b }

// asIs is the plain form of a value that JSON has itself.
func asIs[T any](_ normal, v T) any { return v }

// number is the form of whole numbers.
func number[T int | int64]() form[T] {
	return form[T]{same[T], func(v T) string { return strconv.FormatInt(int64(v), 10) },
		func(d *digest, v T) { d.number(int64(v)) }, asIs[T]}
}

// word is the form of values that have a name.
func word[T interface {
	comparable
	String() string
}]() form[T] {
	return form[T]{same[T], T.String, func(d *digest, v T) { d.text(v.String()) }, func(_ normal, v T) any { return v.String() }}
}

// The forms of values.
var (
	textForm = form[string]{same[string], func(v string) string { return v }, func(d *digest, v string) { d.text(v) }, asIs[string]}
	flagForm = form[bool]{same[bool], strconv.FormatBool, (*digest).flag, asIs[bool]}
	modeForm = form[int]{same[int], showMode, func(d *digest, v int) { d.number(int64(v)) }, func(_ normal, v int) any { return orNull(showMode(v)) }}

	signalForm = form[int]{same[int], state.SignalName, func(d *digest, v int) { d.number(int64(v)) },
		func(_ normal, v int) any { return signalWord(v) }}
	numbersForm = form[[]int]{slices.Equal[[]int], showNumbers, feedNumbers, func(_ normal, v []int) any { return append([]int{}, v...) }}
	wordsForm   = form[[]string]{slices.Equal[[]string], func(v []string) string { return strings.Join(v, ",") },
		func(d *digest, v []string) { d.number(int64(len(v))); d.text(v...) }, asIs[[]string]}
	dependsForm = form[[]Dependency]{slices.Equal[[]Dependency], func(v []Dependency) string { return strings.Join(showDepends(v), " ") },
		func(d *digest, v []Dependency) { d.number(int64(len(v))); d.text(showDepends(v)...) },
		func(_ normal, v []Dependency) any { return showDepends(v) }}
	// The same user has one name or another; the numbers count.
	userForm = form[*Account]{(*Account).Equal, showUser, feedUser, func(_ normal, v *Account) any {
		if v == nil {
			return nil
		}
		return v.Name
	}}
	// The value of a variable may be secret, and is shown only by Normal.
	envForm = form[Env]{Env.Equal, func(v Env) string { return strings.Join(slices.Sorted(maps.Keys(v)), ",") }, feedEnv,
		func(n normal, v Env) any { return n.environment(v) }}
	// A time, or a number, of which 0 says that there is none.
	waitForm   = form[time.Duration]{same[time.Duration], showWait, func(d *digest, v time.Duration) { d.number(int64(v)) }, func(_ normal, v time.Duration) any { return showWait(v) }}
	factorForm = form[float64]{same[float64], showFactor, func(d *digest, v float64) { d.text(showFactor(v)) }, asIs[float64]}

	ownerForm = form[Owner]{same[Owner], Owner.String, func(d *digest, v Owner) { d.number(int64(v.UID), int64(v.GID)) }, nil}
)

// The kinds of value.
//
// Source: contract/config.md section 4.
var (
	asText      = pure("text", func(s string) (string, error) { return s, nil }, textForm, "")
	asInt       = pure("integer", parseInt, number[int](), "a whole number, such as 10")
	asInt64     = pure("integer", value.ParseInt, number[int64](), asInt.hint)
	asBytes     = pure("size", value.ParseBytes, number[int64](), "a number of bytes, such as 1048576, 512KB, 50MB or 1GB")
	asBool      = pure("boolean", value.ParseBool, flagForm, "true or false")
	asOctal     = pure("octal", value.ParseOctal, modeForm, "an octal number, such as 022")
	asExitCodes = pure("exit codes", value.ParseExitCodes, numbersForm, "numbers from 0 to 255, separated by commas, such as 0,2")
	asRestart   = pure("autorestart", value.ParseAutorestart, word[Autorestart](), "true, false or unexpected")
	asKillMode  = pure("killmode", value.ParseKillMode, word[KillMode](), "process, group or cgroup")
	asOnExit    = pure("on_exit", value.ParseOnExit, word[OnExit](), "ignore or shutdown")
	asPort      = pure("port", value.ParseMetricsPort, number[int](), "a port from 1 to 65535, or 0 for none")
	asURLPath   = pure("path", value.ParseURLPath, textForm, "a path that begins with a slash, such as /metrics")
	asExitWhen  = pure("exit_when", value.ParseExitWhen, word[ExitWhen](), "never, fatal or idle")
	asSignal    = pure("signal", value.ParseSignal, signalForm, "a signal such as TERM, INT, QUIT, HUP, USR1 or KILL")
	asLevel     = pure("log level", value.ParseLogLevel, textForm, alternatives(levelNames()))
	asEnv       = pure("environment", value.ParseEnv, envForm, `KEY="value" pairs, separated by commas, such as A="1",B="two words"`)
	asName      = pure("name", value.ParseName, textForm, "a name has no space, colon or slash")
	asDuration  = pure("duration", value.ParseDuration, word[time.Duration](), "a time such as 300ms, 10s or 2m; a bare number is seconds")
	asEvents    = kind[[]string]{name: "event types", hint: "event types, separated by commas, such as PROCESS_STATE,TICK_60", form: wordsForm} // events reads it
	asRemovals  = pure("removals", value.ParseRemovals, form[Removals]{show: Removals.String}, "a number of groups, or a percentage such as 50%")
	asWindows   = pure("windows", value.ParseWindows, form[Windows]{show: Windows.String}, "days, times and a time zone, such as Mon-Fri 08:00-18:00 Europe/Berlin; several are separated by commas")
	asDepends   = pure("dependencies", value.ParseDependsOn, dependsForm, "names, each with its condition unless that is running: db migrate:done cache?; "+
		"the conditions are running, started, exited and done")
	asTargets = pure("names", value.ParseTargets, wordsForm, "names of programs, processes or groups, without conditions")
	asWaitFor = pure("dependencies", value.ParseWaitFor, dependsForm, "names with states, any of which is enough: a:running b:exited,fatal; the states are starting, running, exited and fatal")
	asUser    = kind[*Account]{"user", value.ParseUser, "the name or number of a user on this machine", userForm}
	asUsers   = kind[[]int]{"users", value.ParseUsers, "names or numbers of users on this machine, separated by commas, such as deploy,1001", numbersForm}
	asOwner   = kind[Owner]{"owner", value.ParseOwner, "user or user:group, by name or number, on this machine", ownerForm}
	asDir     = kind[string]{"directory", value.ExistingDir, "create the directory, or name one that exists", textForm}
	asDirPath = kind[string]{"file", value.ExistingDirPath, "create the directory of the file", textForm}
)

// The kinds of value of a restart policy.
var (
	asWait       = pure("duration", value.ParseDuration, waitForm, asDuration.hint)
	asFactor     = pure("factor", value.ParseFactor, factorForm, "a number from 1 to 100, such as 2 or 1.5")
	asPercent    = pure("percentage", value.ParsePercent, word[Percent](), "a percentage from 0% to 100%")
	asGiveUp     = pure("give_up", value.ParseGiveUp, word[GiveUp](), "startretries or never")
	asCrashLimit = pure("crash limit", value.ParseCrashLimit, word[CrashLimit](), "a number of exits up to 1000 and the period in which they count, such as 5/10m")
)

// asRollout is a number of processes, or a share of them.
var asRollout = pure("rollout", value.ParseRollout, word[Rollout](), "a number of processes from 1, or a percentage from 1% to 100%")

// The kinds of value of probes.
var (
	asHealth         = pure("probe", value.ParseHealth, word[Probe](), "tcp:[HOST:]PORT, unix:PATH, http://... [200-299,401], https://..., exec:COMMAND or file:PATH; with watchdog= the program itself reports its health")
	asReady          = pure("probe", value.ParseReady, word[Probe](), "notify, fd:N, log:REGEX, tcp:[HOST:]PORT, unix:PATH, http://... [200-299,401], https://..., exec:COMMAND or file:PATH")
	asOnUnhealthy    = pure("on_unhealthy", value.ParseOnUnhealthy, word[OnUnhealthy](), "restart, stop or report")
	asReadyTimeout   = durationOr(defaultReadyTimeout, noTime)
	asReadyInterval  = durationOr(defaultReadyInterval, 0)
	asHealthInterval = durationOr(defaultHealthInterval, 0)
	asHealthTimeout  = durationOr(defaultHealthTimeout, 0)
	asFailures       = numberOr(defaultHealthFailures)
)

// The kinds of value of verification.
var (
	asVerify    = durationOr(0, noTime)
	asOnFailure = pure("on_failure", value.ParseOnFailure, word[OnFailure](), "keep, hold or revert")
)

// durationOr is a duration of which 0 stands for def. none stands for a text that gives 0;
// without it that is a mistake.
func durationOr(def, none time.Duration) kind[time.Duration] {
	text := func(v time.Duration) string {
		switch {
		case v == none && none != 0:
			return "0s"
		case v == 0 && def == 0:
			return ""
		}
		return value.ShowDuration(cmp.Or(v, def))
	}
	k := asDuration
	k.form = form[time.Duration]{same[time.Duration], text, func(d *digest, v time.Duration) { d.number(int64(v)) },
		func(_ normal, v time.Duration) any { return text(v) }}
	k.parse = func(_ value.Host, s string) (time.Duration, error) {
		switch v, err := value.ParseDuration(s); {
		case err != nil:
			return 0, err
		case v == 0 && none == 0:
			return 0, errors.New("not a time that passes: " + value.PyRepr(s))
		case v == 0:
			return none, nil
		case v == def:
			return 0, nil
		default:
			return v, nil
		}
	}
	return k
}

// numberOr is a number from 1 of which 0 stands for def.
func numberOr(def int) kind[int] {
	k := asInt
	k.form = form[int]{same[int], func(v int) string { return strconv.Itoa(cmp.Or(v, def)) },
		func(d *digest, v int) { d.number(int64(v)) }, func(_ normal, v int) any { return cmp.Or(v, def) }}
	k.hint = "a whole number, at least 1"
	k.parse = func(_ value.Host, s string) (int, error) {
		switch v, err := parseInt(s); {
		case err != nil:
			return 0, err
		case v < 1:
			return 0, errors.New("not a number from 1: " + value.PyRepr(s))
		case v == def:
			return 0, nil
		default:
			return v, nil
		}
	}
	return k
}

// alternatives words a choice.
func alternatives(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func levelNames() (names []string) {
	for _, l := range state.Levels {
		names = append(names, l.Name)
	}
	return names
}

func parseInt(s string) (int, error) {
	n, err := value.ParseInt(s)
	return value.Int(n), err
}

// showMode is an octal number; -1 is not set.
func showMode(n int) string {
	if n == -1 {
		return ""
	}
	return fmt.Sprintf("%03o", n)
}

func showUser(a *Account) string {
	if a == nil {
		return ""
	}
	return fmt.Sprintf("%s (uid %d, gid %d)", a.Name, a.UID, a.GID)
}

func feedUser(d *digest, a *Account) {
	d.flag(a != nil)
	if a != nil {
		d.number(int64(a.UID), int64(a.GID))
	}
}

func showWait(v time.Duration) string {
	if v == 0 {
		return ""
	}
	return value.ShowDuration(v)
}

func showFactor(v float64) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func feedEnv(d *digest, e Env) {
	d.number(int64(len(e)))
	for _, key := range slices.Sorted(maps.Keys(e)) {
		d.text(key, e[key])
	}
}

func showNumbers(list []int) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, ",")
}

func showDepends(list []Dependency) []string {
	words := make([]string, len(list))
	for i, d := range list {
		words[i] = d.String()
	}
	return words
}

func feedNumbers(d *digest, list []int) {
	d.number(int64(len(list)))
	for _, n := range list {
		d.number(int64(n))
	}
}
