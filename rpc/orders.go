package rpc

import (
	"context"
	"fmt"
	"sync"

	"supervisord/runtime/notice"
)

// orders are those of the pages that have several steps, such as a restart one after
// another: what would stay half done if the program were exchanged meanwhile.
type orders struct {
	mu       sync.Mutex // guards the following
	held     bool       // none is begun
	underWay map[*order]bool

	ended notice.Notice
}

// begin notes that an order is carried out, until end is called. It reports false while
// none may begin.
func (o *orders) begin(one *order) (end func(), ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held {
		return nil, false
	}
	if o.underWay == nil {
		o.underWay = make(map[*order]bool)
	}
	o.underWay[one] = true
	return func() {
		o.mu.Lock()
		delete(o.underWay, one)
		o.mu.Unlock()
		o.ended.Tell()
	}, true
}

// HoldOrders has those orders of the pages end that have several steps and are under way,
// and begins none until goOn is called: an upgrade in place would cut them off. The error
// says what does not end before ctx does; everything goes on then. It may be called from
// any goroutine.
func (s *Server) HoldOrders(ctx context.Context) (goOn func(), err error) {
	o := &s.orders
	hold := func(held bool) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.held = held
	}
	hold(true)
	for {
		ended := o.ended.Next()
		what, some := o.any()
		if !some {
			return func() { hold(false) }, nil
		}
		select {
		case <-ended:
		case <-ctx.Done():
			hold(false)
			return nil, fmt.Errorf("the restart of %s that was started on the web page has not finished yet", what)
		}
	}
}

// any is what one order that is under way is about.
func (o *orders) any() (what string, some bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for one := range o.underWay {
		return one.subject(), true
	}
	return "", false
}
