package host

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"supervisord/spec"
)

// Runner runs a command and returns what it has printed, and its exit status.
type Runner func(ctx context.Context, argv ...string) (output []byte, status int, err error)

// getentPaths are where getent may be. PATH is not asked: a configuration or whoever
// starts the daemon would say what root runs.
var getentPaths = []string{"/usr/bin/getent", "/bin/getent"}

const (
	// nssPatience is how long getent may take altogether, for all accounts of a load.
	nssPatience = 5 * time.Second
	// nssPause is how long nobody asks between two loads.
	nssPause = time.Second
	// nssRest is how long it is not asked again after it has failed.
	nssRest = 5 * time.Second
	// notFound is getent's exit status where there is no such entry.
	notFound = 2
)

// nss are the accounts of the name service switch (LDAP, SSSD, systemd), which a static
// binary cannot ask itself: getent does. Each load asks again, once for each name.
// While nobody answers, what was known of a name before stands.
type nss struct {
	run   Runner // nil where nobody is asked
	paths []string

	mu      sync.Mutex           // held while getent runs; guards the following
	asked   time.Time            // when it was run last
	left    time.Duration        // for this load
	rest    time.Time            // until when nothing is asked, since getent has failed
	failed  string               // why; said for as long as it has its rest
	retryAt time.Time            // see RetryAt
	known   map[[2]string]string // the last answer, by database and key
}

// RetryAt is when accounts that could not be asked for may be there again: another load
// may have another result then. It is zero where all was answered.
func (h *Host) RetryAt() time.Time {
	h.nss.mu.Lock()
	defer h.nss.mu.Unlock()
	return h.nss.retryAt
}

// entry asks for one entry of a database. It fails as spec.Host's lookups do.
func (n *nss) entry(database, key string) (text string, err error) {
	if n.run == nil || key == "" || strings.ContainsAny(key, ":\n\x00") {
		return "", spec.ErrNoAccount
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	question := [2]string{database, key}
	if now.Before(n.rest) {
		return n.knows(question)
	}
	at := slices.IndexFunc(n.paths, func(path string) bool {
		info, err := os.Stat(path)
		return err == nil && info.Mode().IsRegular()
	})
	if at < 0 {
		return "", spec.ErrNoAccount
	}
	if now.Sub(n.asked) > nssPause {
		n.left = nssPatience
	}
	ctx, cancel := context.WithTimeout(context.Background(), n.left)
	defer cancel()
	output, status, err := n.run(ctx, n.paths[at], database, "--", key)
	n.asked = time.Now()
	n.left -= n.asked.Sub(now)
	switch {
	case err == nil && status == 0:
		n.retryAt, n.failed = time.Time{}, ""
		text, _, _ = strings.Cut(string(output), "\n")
		if n.known == nil {
			n.known = make(map[[2]string]string)
		}
		n.known[question] = text
	case err == nil && status == notFound:
		n.retryAt, n.failed = time.Time{}, ""
		delete(n.known, question)
	default:
		n.rest = n.asked.Add(nssRest)
		n.retryAt = n.rest
		n.failed = n.paths[at] + " " + failure(ctx, status, err)
	}
	return n.knows(question)
}

// failure says how getent failed.
func failure(ctx context.Context, status int, err error) string {
	switch {
	case ctx.Err() != nil:
		return fmt.Sprintf("has not answered within %v", nssPatience)
	case err != nil:
		return fmt.Sprintf("cannot be run: %v", err)
	}
	return fmt.Sprintf("failed with exit status %d", status)
}

// knows is the last answer to a question.
func (n *nss) knows(question [2]string) (text string, err error) {
	text, ok := n.known[question]
	switch {
	case ok:
		return text, nil
	case n.failed != "":
		return "", &spec.Unanswered{Reason: n.failed, Again: nssRest}
	}
	return "", spec.ErrNoAccount
}

// passwdEntry is a line of passwd.
type passwdEntry struct {
	name     string
	uid, gid int
	home     string
}

func (n *nss) passwd(name string) (passwdEntry, error) {
	text, err := n.entry("passwd", name)
	if err != nil {
		return passwdEntry{}, err
	}
	fields := strings.Split(text, ":")
	if len(fields) < 7 || !isNumber(name) && fields[0] != name {
		return passwdEntry{}, spec.ErrNoAccount
	}
	uid, err := strconv.ParseUint(fields[2], 10, 32)
	gid, err2 := strconv.ParseUint(fields[3], 10, 32)
	if err != nil || err2 != nil {
		return passwdEntry{}, spec.ErrNoAccount
	}
	return passwdEntry{fields[0], int(uid), int(gid), fields[5]}, nil
}

// user is an account with its groups, under the name that was asked for. One whose
// groups cannot be had is none: it would run with fewer rights, or with more.
func (n *nss) user(name string) (spec.Account, error) {
	p, err := n.passwd(name)
	if err != nil {
		return spec.Account{}, err
	}
	groups, err := n.initgroups(p.name, p.gid)
	return spec.Account{Name: name, UID: p.uid, GID: p.gid, Groups: groups}, err
}

// initgroups are the supplementary groups of a user.
func (n *nss) initgroups(name string, primary int) (groups []int, err error) {
	text, err := n.entry("initgroups", name)
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return nil, spec.ErrNoAccount
	}
	for _, field := range fields[1:] {
		gid, err := strconv.ParseUint(field, 10, 32)
		if err != nil {
			return nil, spec.ErrNoAccount
		}
		if int(gid) != primary && !slices.Contains(groups, int(gid)) {
			groups = append(groups, int(gid))
		}
	}
	return groups, nil
}

// moreGroups are all groups of an account of the account files, where some may be
// elsewhere. Should they not be had, those of the files stand, as for the C library.
func (n *nss) moreGroups(name string, a spec.Account) (groups []int, ok bool) {
	if n.run == nil || a.UID == 0 || isNumber(name) || !groupsElsewhere() {
		return nil, false
	}
	groups, err := n.initgroups(name, a.GID)
	return groups, err == nil
}

// groupsElsewhere reports whether the name service switch has groups from other places
// than files.
func groupsElsewhere() bool {
	text, err := os.ReadFile("/etc/nsswitch.conf")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		database, sources, _ := strings.Cut(line, ":")
		if database = strings.TrimSpace(database); database != "group" && database != "initgroups" {
			continue
		}
		for _, source := range strings.Fields(sources) {
			if source != "files" && source != "compat" && source != "systemd" && !strings.HasPrefix(source, "[") {
				return true
			}
		}
	}
	return false
}

// group is a group's number.
func (n *nss) group(name string) (gid int, err error) {
	text, err := n.entry("group", name)
	if err != nil {
		return 0, err
	}
	fields := strings.Split(text, ":")
	if len(fields) < 3 || !isNumber(name) && fields[0] != name {
		return 0, spec.ErrNoAccount
	}
	number, err := strconv.ParseUint(fields[2], 10, 32)
	if err != nil {
		return 0, spec.ErrNoAccount
	}
	return int(number), nil
}
