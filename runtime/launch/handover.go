package launch

import (
	"errors"
	"os"

	"supervisord/runtime/trust"
)

// SavedSocket is a Socket as it is written down for another one to continue from, except
// its file.
type SavedSocket struct {
	Options      SocketOptions `json:"options"`
	Holders      int           `json:"holders,omitempty"`
	trust.FileID               // of what its path was when it was bound; zero where it has none
}

// Save gives a Socket up without closing it, and gives out its file, nil if nobody holds
// it. It never waits: unless busy is nil, an operation is under way that ends when busy is
// closed, and the Socket is as it was. After a Save only Resume may be called.
func (s *Socket) Save() (saved SavedSocket, file *os.File, busy <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.last:
	default:
		return saved, nil, s.last
	}
	saved = SavedSocket{Options: s.options, Holders: s.holders}
	if s.bound != nil {
		saved.FileID = trust.IDOf(s.bound)
	}
	file = s.file
	s.file, s.bound, s.holders = nil, nil, 0
	return saved, file, nil
}

// Resume makes a Socket without holders continue in place of one that was saved. It never
// waits.
func (s *Socket) Resume(saved SavedSocket, file *os.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options, s.holders = saved.Options, saved.Holders
	if file == nil {
		return
	}
	before, done := s.enqueue()
	go func() { // ends with the disk of its path
		defer close(done)
		<-before
		s.file = file
		s.bound = saved.At(saved.Options.Path)
	}()
}

// Check reports what no Socket comes to.
func (s *SavedSocket) Check() error {
	if o := &s.Options; o.URL == "" || o.Network != "unix" && o.Network != "tcp" || o.Network == "unix" && o.Path == "" {
		return errors.New("a socket has no address")
	}
	if s.Holders < 0 {
		return errors.New("the reference count of a socket is negative")
	}
	return nil
}
