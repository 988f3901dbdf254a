package main

import (
	"fmt"
	"strings"

	"supervisord/rpc/client"
)

// parseRevision takes --revision REVISION out of the call's words; "" where it is not there.
func (c *call) parseRevision() (revision string, err error) {
	var rest []string
	given := false
	for i := 0; i < len(c.words); i++ {
		word, value, joined := strings.Cut(c.words[i], "=")
		if word != "--revision" {
			rest = append(rest, c.words[i])
			continue
		}
		given = true
		if revision = value; !joined && i+1 < len(c.words) {
			i++
			revision = c.words[i]
		}
	}
	c.words = rest
	if given && revision == "" {
		return "", c.usage(exitUsage, "--revision needs a commit, or at least %d digits of one", leastDigits)
	}
	return revision, nil
}

// leastDigits is how much of a commit's name says which it is.
const leastDigits = 7

// isRevision reports whether a revision is the one that is meant: it is the same, or a
// commit whose name begins so.
func isRevision(revision, meant string) bool {
	if revision == meant {
		return true
	}
	meant = strings.ToLower(meant)
	isHex := !strings.ContainsFunc(meant, func(r rune) bool { return !('0' <= r && r <= '9' || 'a' <= r && r <= 'f') })
	return isHex && len(meant) >= leastDigits && len(revision) >= 40 && strings.HasPrefix(revision, meant)
}

// awaits is what is missing before a revision runs, "" for nothing. fatal means that it will
// not: it has failed.
func awaits(meant string, s client.ReconcileState) (missing string, fatal bool) {
	switch {
	case isRevision(s.Attempted, meant) && s.Outcome == "failure":
		return fmt.Sprintf("revision %s: failed", s.Attempted), true
	case isRevision(s.Revision, meant) && s.Revision == s.Attempted:
		return "", false
	case isRevision(s.Attempted, meant):
		return fmt.Sprintf("revision %s: not in force yet", s.Attempted), false
	case s.Attempted == "":
		return "revision: the files have none; see revision= in [reconcile]", false
	}
	return fmt.Sprintf("revision %s is wanted, the files are at %s", meant, s.Attempted), false
}

// revisionNote tells of a revision below an update.
func revisionNote(revision string) []string {
	if revision == "" {
		return nil
	}
	return []string{"revision " + revision}
}
