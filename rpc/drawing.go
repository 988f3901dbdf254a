package rpc

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"supervisord/rpc/page"
	"supervisord/runtime"
	"supervisord/runtime/usage"
)

// drawing is the table as it was drawn last. It is never changed once made. Versions count
// drawings: what has a higher one than a stream's last is news to it.
type drawing struct {
	version   uint64
	stamp     string // equal for equal contents, in other lives of the daemon too
	items     []drawnItem
	places    map[string]int
	shape     uint64 // the version in which the processes were others
	rows      uint64 // the same for anything that is said of one, but its figures
	files     uint64 // for the reconciler's state
	listeners uint64
	print     uint64 // of the listeners
	overall   overall
	history   *usage.History
	account   *account // has the memory of all this
	// health and chips are the summary, drawn when the first stream wants it: health by
	// whether it is for the overview, and for those who may only read.
	summary summary
	health  [2][2]func() string
	chips   func() string
	// news is what streams are sent on the overview that have seen the drawing before this
	// one, made once for all of them: for those who may act, and those who may only read.
	news [2]func() []byte
}

// summary is what stands above the table.
type summary struct {
	health page.Health
	chips  []page.Chip
}

// drawnItem is one line of the table, as it is now and was drawn when anything but its
// figures last changed.
type drawnItem struct {
	item    page.Item
	print   uint64
	version uint64
	figures uint64    // the version in which the figures were others
	html    [2]string // for those who may act, and those who may only read; empty for what never changed
}

// draw makes a drawing; it is before itself if nothing differs. What the reconciler says is
// asked for only if it may have changed: it compares all definitions for that. A drawing has
// its memory as a request has, and gives it back when its account ends.
func (b *board) draw(ctx context.Context, before *drawing, filesToo bool) (d *drawing, err error) {
	account := &account{memory: b.server.memory}
	ctx = context.WithValue(ctx, accountKey{}, account)
	done := false
	defer func() {
		account.complete()
		if err != nil || d == before || !done { // not in a panic
			account.end()
		}
	}()
	o, err := b.server.processes(ctx)
	if err != nil {
		return nil, err
	}
	if before == nil || filesToo {
		o.reconcile = b.server.reconcileState()
	} else {
		o.reconcile = before.overall.reconcile
	}
	d = &drawing{overall: o, print: listenersPrint(o.infos), history: b.server.history(ctx), account: account}
	items := page.Items(o.rows)
	page.WithFigures(items, d.history)
	if before == nil {
		d.version, d.files, d.listeners = 1, 1, 1
		d.begin(items)
	} else {
		d.version, d.shape, d.rows, d.files, d.listeners = before.version+1, before.shape, before.rows, before.files, before.listeners
		if !d.goOn(items, before) {
			d.begin(items)
		}
		if before.overall.reconcile != o.reconcile {
			d.files = d.version
		}
		if before.print != d.print {
			d.listeners = d.version
		}
	}
	switch {
	case d.rows == d.version || d.files == d.version || d.listeners == d.version:
		if err := d.drawItems(ctx); err != nil {
			return nil, err
		}
		d.stamp = d.stampOf()
		b.server.drawParts(d, before)
	case d.figuresChanged():
		d.stamp, d.summary, d.health, d.chips = before.stamp, before.summary, before.health, before.chips
	default:
		done = true
		return before, nil
	}
	done = true
	for kind := range d.news {
		d.news[kind] = sync.OnceValue(func() []byte { return d.overview(d.version-1, kind) })
	}
	return d, nil
}

// begin has a drawing show other processes than the one before, which is news as a whole.
func (d *drawing) begin(items []page.Item) {
	d.shape, d.rows = d.version, d.version
	d.items, d.places = make([]drawnItem, len(items)), make(map[string]int, len(items))
	for i, item := range items {
		d.places[item.Key()] = i
		d.items[i] = drawnItem{item: item, print: item.Print(), version: d.version, figures: d.version}
	}
}

// goOn has a drawing show the processes of the one before as they are now. It reports false
// if they are others.
func (d *drawing) goOn(items []page.Item, before *drawing) bool {
	if len(before.items) != len(items) {
		return false
	}
	d.places, d.items = before.places, make([]drawnItem, len(items))
	for i, item := range items {
		was := &before.items[i]
		if was.item.Key() != item.Key() {
			return false
		}
		one := *was
		one.item = item
		if item.Figures != was.item.Figures {
			one.figures = d.version
		}
		if !item.Equal(was.item) {
			one.version, one.print, one.html = d.version, item.Print(), [2]string{}
			d.rows = d.version
		}
		d.items[i] = one
	}
	return true
}

func (d *drawing) figuresChanged() bool {
	return slices.ContainsFunc(d.items, func(one drawnItem) bool { return one.figures == d.version })
}

// drawItems draws the rows that have changed, of the same processes.
func (d *drawing) drawItems(ctx context.Context) error {
	if d.shape == d.version {
		return nil
	}
	now, drawn := time.Now(), 0
	for i := range d.items {
		one := &d.items[i]
		if one.version != d.version {
			continue
		}
		for k, readOnly := range []bool{false, true} {
			one.html[k] = string(page.Rows([]page.Item{one.item}, now, readOnly))
			drawn += len(one.html[k])
		}
	}
	return d.account.take(ctx, int64(2*drawn)) // once more as it is sent
}

func (d *drawing) stampOf() string {
	stamp := newStamp()
	for i := range d.items {
		stamp.add(d.items[i].print)
	}
	return stamp.of(d.overall.reconcile, d.print)
}

// drawParts prepares what is drawn of a drawing once for all who want it. While the summary
// is that of the drawing before, so is what was drawn of it.
func (s *Server) drawParts(d, before *drawing) {
	d.summary = summary{page.HealthOf(d.overall.rows, d.overall.reconcile, d.overall.mood), page.Chips(d.overall.rows, page.Choice{})}
	if before != nil && reflect.DeepEqual(d.summary, before.summary) {
		d.health, d.chips = before.health, before.chips
		return
	}
	// What is drawn is drawn when it is first asked for, and outlives this drawing.
	frame, chips, total := page.Frame{Health: d.summary.health}, d.summary.chips, len(d.overall.rows)
	drawn := func(html string, err error) string {
		if err != nil {
			s.log.Error(fmt.Sprintf("Web interface error:%v", err))
		}
		return html
	}
	for i, tab := range []string{"", "overview"} {
		for j, readOnly := range []bool{false, true} {
			f := frame
			f.Tab, f.ReadOnly = tab, readOnly
			d.health[i][j] = sync.OnceValue(func() string {
				f.Now = time.Now()
				return drawn(page.Status(f))
			})
		}
	}
	d.chips = sync.OnceValue(func() string { return drawn(page.ChipsOf(chips, total)) })
}

// listenersPrint is equal for listeners that are equal.
func listenersPrint(all []runtime.Info) uint64 {
	print := fnv.New64a()
	for i := range all {
		if f := &all[i]; f.Listener != nil {
			fmt.Fprintln(print, f.Group, f.Name, f.State, *f.Listener)
		}
	}
	return print.Sum64()
}

// overview is what is news to an overview for which a drawing was seen.
func (d *drawing) overview(seen uint64, kind int) []byte {
	var b bytes.Buffer
	rows, figures := map[string]string{}, map[string][]string{}
	for i := range d.items {
		one := &d.items[i]
		if one.version > seen {
			rows[one.item.Key()] = one.html[kind]
		}
		if one.figures > seen && one.item.Row != nil {
			figures[one.item.Key()] = d.figuresOf(i, false)
		}
	}
	reload := d.shape > seen
	if len(rows) > 0 && !reload {
		event(&b, "rows", d.stamp, inJSON(rows))
	}
	if len(figures) > 0 && !reload {
		event(&b, "figures", d.stamp, inJSON(figures))
	}
	if d.rows > seen || d.files > seen {
		event(&b, "parts", d.stamp, inJSON(map[string]string{"health": d.health[1][kind](), "chips": d.chips()}))
	}
	if reload {
		event(&b, "reload", d.stamp, "{}")
	}
	return b.Bytes()
}

// figuresOf are the figures of a line, as the script puts them in their places.
func (d *drawing) figuresOf(place int, all bool) []string {
	item := &d.items[place].item
	list := []string{item.Figures.CPU, item.Figures.Memory, item.Figures.Graph}
	if all && item.Row != nil {
		list = append(list, page.TakesOf(d.history, *item.Row).MemoryGraph)
	}
	return list
}

// stamp is in the making what a page is marked with, so that its stream knows whether
// something has changed in between: equal for what is drawn equal.
type stamp uint64

func newStamp() stamp { return 14695981039346656037 }

// add goes on as FNV does, a word at a time.
func (s *stamp) add(print uint64) { *s = (*s ^ stamp(print)) * 1099511628211 }

func (s stamp) of(r page.Reconcile, listeners uint64) string {
	rest := fnv.New64a()
	fmt.Fprintln(rest, r)
	s.add(rest.Sum64())
	s.add(listeners)
	return strconv.FormatUint(uint64(s), 36)
}

// stampOf is the stamp of a page.
func stampOf(o overall) string {
	s := newStamp()
	for _, item := range page.Items(slices.Clone(o.rows)) {
		s.add(item.Print())
	}
	return s.of(o.reconcile, listenersPrint(o.infos))
}
