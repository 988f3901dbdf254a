package spec

import (
	"fmt"
	"io/fs"
	"sync"
)

// memoHost is a Host that asks the machine each question once, so that all parts
// of one load see the same answer.
type memoHost struct {
	Host
	cwd     string
	mu      sync.Mutex // guards answers
	answers map[query]*hostAnswer
}

// query is a question to the host on which a definition may depend.
type query struct {
	kind queryKind
	name string // a path, a user or a group
}

type queryKind byte

const (
	queryPath queryKind = iota
	queryUser
	queryGroup
	queryHome
)

// hostAnswer is what the host said.
type hostAnswer struct {
	info     fs.FileInfo
	err      error
	account  Account
	gid      int
	home     string
	relevant relevantAnswer
}

// relevantAnswer is the part of an answer that can change a definition.
type relevantAnswer struct {
	ok       bool
	wrong    string      // why there is no account
	mode     fs.FileMode // type and executable bits
	uid, gid int
	groups   string
	home     string
}

func newMemoHost(h Host) *memoHost {
	return &memoHost{Host: h, cwd: h.Getwd(), answers: map[query]*hostAnswer{}}
}

// Getwd implements Host.
func (m *memoHost) Getwd() string { return m.cwd }

// ask answers a query, from memory if it was asked before.
func (m *memoHost) ask(q query) *hostAnswer {
	m.mu.Lock()
	known := m.answers[q]
	m.mu.Unlock()
	if known != nil {
		return known
	}
	answer := m.askHost(q) // without the lock: it may be slow
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.answers[q]; known != nil {
		return known
	}
	m.answers[q] = answer
	return answer
}

func (m *memoHost) askHost(q query) *hostAnswer {
	a := &hostAnswer{}
	switch q.kind {
	case queryPath:
		if a.info, a.err = m.Host.Stat(q.name); a.err == nil {
			a.relevant = relevantAnswer{mode: a.info.Mode() & (fs.ModeType | 0o111)}
		}
	case queryUser:
		a.account, a.err = m.Host.LookupUser(q.name)
		a.relevant.uid, a.relevant.gid, a.relevant.groups = a.account.UID, a.account.GID, fmt.Sprint(a.account.Groups)
	case queryGroup:
		a.gid, a.err = m.Host.LookupGroup(q.name)
		a.relevant.gid = a.gid
	case queryHome:
		a.home, a.err = m.Host.Home(q.name)
		a.relevant.home = a.home
	}
	a.relevant.ok = a.err == nil
	if q.kind != queryPath && a.err != nil {
		a.relevant.wrong = a.err.Error()
	}
	return a
}

// dependencies are queries that were asked while something was built, and the
// answers on which it depends.
type dependencies map[query]relevantAnswer

// unchanged reports whether every answer is still the same.
func (m *memoHost) unchanged(d dependencies) bool {
	for q, relevant := range d {
		if m.ask(q).relevant != relevant {
			return false
		}
	}
	return true
}

// recordingHost is a Host that records what is asked. It belongs to one
// goroutine.
type recordingHost struct {
	*memoHost
	asked dependencies
}

func newRecordingHost(m *memoHost) *recordingHost {
	return &recordingHost{memoHost: m, asked: dependencies{}}
}

func (r *recordingHost) ask(q query) *hostAnswer {
	answer := r.memoHost.ask(q)
	r.asked[q] = answer.relevant
	return answer
}

// Stat implements Host.
func (r *recordingHost) Stat(path string) (fs.FileInfo, error) {
	answer := r.ask(query{queryPath, path})
	return answer.info, answer.err
}

// LookupUser implements Host.
func (r *recordingHost) LookupUser(name string) (Account, error) {
	answer := r.ask(query{queryUser, name})
	return answer.account, answer.err
}

// LookupGroup implements Host.
func (r *recordingHost) LookupGroup(name string) (int, error) {
	answer := r.ask(query{queryGroup, name})
	return answer.gid, answer.err
}

// Home implements Host.
func (r *recordingHost) Home(name string) (string, error) {
	answer := r.ask(query{queryHome, name})
	return answer.home, answer.err
}
