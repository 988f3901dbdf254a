package rpc

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
	"supervisord/runtime/state"
)

// thousand is a fake daemon with 1,000 running processes.
func thousand(b *testing.B) (*fakeDaemon, Options) {
	w, o := unixOnly(b)
	w.procs = nil
	start := time.Now().Add(-time.Hour)
	for i := range 1000 {
		name := fmt.Sprintf("worker_%03d", i)
		w.procs = append(w.procs, &fakeProcess{Info: runtime.Info{
			Group: "worker", Name: name, State: state.Running, PID: 10000 + i, Start: start,
			StdoutLog: "/var/log/supervisor/" + name + "-stdout---supervisor-abcdefgh.log",
			StderrLog: "/var/log/supervisor/" + name + "-stderr---supervisor-abcdefgh.log",
		}})
	}
	return w, o
}

// BenchmarkEncodeAllProcessInfo is the encoding alone, for 1,000 processes.
func BenchmarkEncodeAllProcessInfo(b *testing.B) {
	w, _ := thousand(b)
	all, err := w.Snapshot(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	var reply []byte
	b.ReportAllocs()
	for b.Loop() {
		if reply, err = response(processInfos(all)); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(reply)))
}

// benchmarkCalls makes one call again and again on kept connections, as many at
// once as there are processors, and reads each reply to its end undecoded.
func benchmarkCalls(b *testing.B, method string, network int) {
	_, o := thousand(b)
	o.Servers = append(o.Servers, o.Servers[0])
	o.Servers[1].Network, o.Servers[1].Host, o.Servers[1].Path = "tcp", "127.0.0.1", ""
	s := serve(b, o)
	addr := s.servers[network].listener.Addr()
	path := addr.String()
	if network == 0 {
		path = s.servers[0].Path
	}
	doc, err := xmlrpc.EncodeCall(method)
	if err != nil {
		b.Fatal(err)
	}
	request := fmt.Sprintf("POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s", len(doc), doc)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial(addr.Network(), path)
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		r := bufio.NewReaderSize(conn, 256<<10)
		for pb.Next() {
			if _, err := io.Copy(conn, strings.NewReader(request)); err != nil {
				b.Error(err)
				return
			}
			resp, err := http.ReadResponse(r, nil)
			if err != nil || resp.StatusCode != 200 {
				b.Error(resp, err)
				return
			}
			if n, err := r.Discard(int(resp.ContentLength)); err != nil || n < 100 {
				b.Error(n, err)
				return
			}
		}
	})
}

func BenchmarkGetAllProcessInfoUnix(b *testing.B) {
	benchmarkCalls(b, "supervisor.getAllProcessInfo", 0)
}
func BenchmarkGetAllProcessInfoTCP(b *testing.B) {
	benchmarkCalls(b, "supervisor.getAllProcessInfo", 1)
}
func BenchmarkGetStateUnix(b *testing.B) { benchmarkCalls(b, "supervisor.getState", 0) }
func BenchmarkGetStateTCP(b *testing.B)  { benchmarkCalls(b, "supervisor.getState", 1) }

// BenchmarkMetrics is a scrape of 1,000 processes, without what they take.
func BenchmarkMetrics(b *testing.B) {
	_, o := thousand(b)
	c := dial(b, serve(b, o), 0)
	b.ReportAllocs()
	for b.Loop() {
		if resp, body := c.do(b, "GET", "/metrics", ""); resp.StatusCode != 200 || len(body) < 100_000 {
			b.Fatal(resp.Status, len(body))
		}
	}
}
