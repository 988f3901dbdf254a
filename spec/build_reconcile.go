package spec

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"supervisord/spec/value"
)

// defaultReconcile is [reconcile] where the files say nothing.
//
// Source: reconciler.md, Configuration.
func defaultReconcile() Reconcile {
	return Reconcile{
		Autoupdate:     true,
		Settle:         300 * time.Millisecond,
		SettleRemovals: 3 * time.Second,
		Rescan:         10 * time.Second,
		MaxRemovals:    Removals{N: 50, Percent: true},
		Permissions:    "warn",
		Verify:         Verify{Stable: 5 * time.Second, OnFailure: OnFailureKeep},
	}
}

// checkVerify refuses processes that cannot be RUNNING by the time they must be.
func (b *builder) checkVerify() {
	for i := range b.cfg.Groups {
		for j := range b.cfg.Groups[i].Processes {
			p := &b.cfg.Groups[i].Processes[j]
			within := b.cfg.Reconcile.Proof(p).Within
			if within == 0 || within >= time.Duration(p.StartSecs)*time.Second || j > 0 && p.Origin == b.cfg.Groups[i].Processes[j-1].Origin {
				continue
			}
			key, hint := "verify", fmt.Sprintf("at least %ds, or verify=0", p.StartSecs)
			if p.Verify.Within == 0 {
				key, hint = "startsecs", "give the program a verify of its own, or verify=0"
			}
			file, line := b.placeOf(p.Origin.Section, key)
			b.errs = append(b.errs, &Error{File: file, Line: line, Section: p.Origin.Section, Key: key, Hint: hint,
				Text: fmt.Sprintf("verify=%s is shorter than startsecs=%d: it could not be RUNNING in time", value.ShowDuration(within), p.StartSecs)})
		}
	}
}

// reconcile reads [reconcile].
func (b *builder) reconcile(r *reader) Reconcile {
	c := defaultReconcile()
	c.Autoupdate = get(r, "autoupdate", c.Autoupdate, asBool)
	c.Settle = get(r, "settle", c.Settle, asDuration)
	c.SettleRemovals = get(r, "settle_removals", c.SettleRemovals, asDuration)
	c.Rescan = get(r, "rescan", c.Rescan, asDuration)
	c.Strict = get(r, "on_invalid", "isolate", oneOf("on_invalid", "isolate", "strict")) == "strict"
	r.census.note(aspects("max_removals", asRemovals, c.MaxRemovals))
	if e := r.section.find("max_removals"); e != nil {
		// A percentage is no place for expansion: 50% means what it says.
		c.MaxRemovals = convert(r, e, strings.ReplaceAll(e.text, "%%", "%"), c.MaxRemovals, asRemovals)
	}
	c.Window = get(r, "window", c.Window, asWindows)
	c.Permissions = get(r, "permissions", c.Permissions, oneOf("permissions", "warn", "enforce", "ignore"))
	c.StateDir = b.file(r, "statedir")
	c.Verify.Within = get(r, "verify", c.Verify.Within, asDuration)
	c.Verify.Stable = get(r, "verify_stable", c.Verify.Stable, asDuration)
	c.Verify.OnFailure = get(r, "on_failure", c.Verify.OnFailure, asOnFailure)
	c.ByDirectory = get(r, "atomic", "file", oneOf("atomic", "file", "directory")) == "directory"
	if c.Revision = get(r, "revision", "", asText); c.Revision != "" && c.Revision != RevisionAuto {
		c.Revision = b.absolute(value.ExpandUser(r.host, c.Revision))
	}
	c.InEnvironment = get(r, "environment_revision", false, asBool)
	c.Report = b.report(r)
	return c
}

// RevisionAuto is the value of revision for that of the checkout which the files are in.
const RevisionAuto = "auto"

// report reads where the outcome of the files is reported.
func (b *builder) report(r *reader) Report {
	c := Report{
		Command:    get(r, "report_command", "", asReportCommand),
		URL:        get(r, "report_url", "", asReportURL),
		SecretFile: b.file(r, "report_secret_file"),
	}
	if c.SecretFile != "" && c.URL == "" {
		r.report("report_secret_file", "report_secret_file needs report_url", "it signs what is posted there")
	}
	return c
}

// The kinds of value of reports. What is wrong with a URL is told without it: it may have
// a secret in it.
var (
	asReportCommand = pure("command", func(s string) (string, error) {
		if words, err := value.Split(s); err != nil || len(words) == 0 && s != "" {
			return "", fmt.Errorf("cannot parse command %s", value.PyRepr(s))
		}
		return s, nil
	}, textForm, "words as in a shell, such as /usr/local/bin/report --now")
	asReportURL = pure("url", func(s string) (string, error) {
		u, err := url.Parse(s)
		if s != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil) {
			return "", errors.New("not a URL that can be posted to")
		}
		return s, nil
	}, textForm, "https://host/path, without a user in it")
)
