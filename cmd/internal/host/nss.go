package host

import (
	"context"
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
// binary cannot ask itself: getent does. Each load asks anew, for each name once. While
// nobody answers, what was known of a name before stands.
type nss struct {
	run   Runner // nil where nobody is asked
	paths []string

	mu      sync.Mutex           // held while getent runs; guards the following
	asked   time.Time            // when it was run last
	left    time.Duration        // for this load
	rest    time.Time            // until when nothing is asked, since getent has failed
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

// entry asks for one entry of a database.
func (n *nss) entry(database, key string) (text string, ok bool) {
	if n.run == nil || key == "" || strings.ContainsAny(key, ":\n\x00") {
		return "", false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	question := [2]string{database, key}
	if now.Before(n.rest) {
		text, ok = n.known[question]
		return text, ok
	}
	at := slices.IndexFunc(n.paths, func(path string) bool {
		info, err := os.Stat(path)
		return err == nil && info.Mode().IsRegular()
	})
	if at < 0 {
		return "", false
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
		n.retryAt = time.Time{}
		text, _, _ = strings.Cut(string(output), "\n")
		if n.known == nil {
			n.known = make(map[[2]string]string)
		}
		n.known[question] = text
	case err == nil && status == notFound:
		n.retryAt = time.Time{}
		delete(n.known, question)
	default:
		n.rest = n.asked.Add(nssRest)
		n.retryAt = n.rest
	}
	text, ok = n.known[question]
	return text, ok
}

// passwdEntry is a line of passwd.
type passwdEntry struct {
	name     string
	uid, gid int
	home     string
}

func (n *nss) passwd(name string) (passwdEntry, bool) {
	text, ok := n.entry("passwd", name)
	fields := strings.Split(text, ":")
	if !ok || len(fields) < 7 || !isNumber(name) && fields[0] != name {
		return passwdEntry{}, false
	}
	uid, err := strconv.ParseUint(fields[2], 10, 32)
	gid, err2 := strconv.ParseUint(fields[3], 10, 32)
	if err != nil || err2 != nil {
		return passwdEntry{}, false
	}
	return passwdEntry{fields[0], int(uid), int(gid), fields[5]}, true
}

// user is an account with its groups, under the name that was asked for. One whose
// groups cannot be had is none: it would run with fewer rights, or with more.
func (n *nss) user(name string) (spec.Account, bool) {
	p, ok := n.passwd(name)
	if !ok {
		return spec.Account{}, false
	}
	groups, ok := n.initgroups(p.name, p.gid)
	return spec.Account{Name: name, UID: p.uid, GID: p.gid, Groups: groups}, ok
}

// initgroups are the supplementary groups of a user.
func (n *nss) initgroups(name string, primary int) (groups []int, ok bool) {
	text, ok := n.entry("initgroups", name)
	fields := strings.Fields(text)
	if !ok || len(fields) == 0 {
		return nil, false
	}
	for _, field := range fields[1:] {
		gid, err := strconv.ParseUint(field, 10, 32)
		if err != nil {
			return nil, false
		}
		if int(gid) != primary && !slices.Contains(groups, int(gid)) {
			groups = append(groups, int(gid))
		}
	}
	return groups, true
}

// moreGroups are all groups of an account of the account files, where some may be
// elsewhere. Should they not be had, those of the files stand, as for the C library.
func (n *nss) moreGroups(name string, a spec.Account) (groups []int, ok bool) {
	if n.run == nil || a.UID == 0 || isNumber(name) || !groupsElsewhere() {
		return nil, false
	}
	return n.initgroups(name, a.GID)
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
func (n *nss) group(name string) (gid int, ok bool) {
	text, ok := n.entry("group", name)
	fields := strings.Split(text, ":")
	if !ok || len(fields) < 3 || !isNumber(name) && fields[0] != name {
		return 0, false
	}
	number, err := strconv.ParseUint(fields[2], 10, 32)
	return int(number), err == nil
}
