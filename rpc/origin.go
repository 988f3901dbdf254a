package rpc

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
)

// guarded reports whether a web page that somebody on this machine looks at could
// reach what a stranger could not: the server listens only for this machine, and
// asks for no password. Behind a password a page that was led here has none to
// send, and a reverse proxy may pass its own Host on; what is shown without it is guarded
// all the same. No browser opens a unix socket.
func (hs *httpServer) guarded(r *http.Request) bool {
	return hs.local && (hs.Username == "" || hs.open(r))
}

// hostAllowed keeps from a guarded server web pages under a name that was made to
// point here (DNS rebinding): it answers to an address and to the machine's own
// names. A server must not ask DNS whose name it is, for that is what lies. A
// request line with a host in it must agree with the header.
func (hs *httpServer) hostAllowed(r *http.Request, h head, known bool) bool {
	if r.URL.Host != "" && (known && hs.Network != "unix" || hs.guarded(r)) && (!known || !sameHost(r.URL.Host, h.host)) {
		return false
	}
	if !hs.guarded(r) {
		return true
	}
	host := hostName(r.Host)
	if host == "" {
		return !r.ProtoAtLeast(1, 1) // no browser leaves it out
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || host == hostName(hs.Host) || hs.server.names[host]
}

// hostName is a Host without its port, in the form in which names are compared.
func hostName(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

func sameHost(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, ":80"), strings.TrimSuffix(b, ":80"))
}

// ownNames are the names of this machine that cannot be made to point here from
// elsewhere: its host name, and those that the hosts file gives to loopback addresses.
func ownNames(hostsFile string) map[string]bool {
	names := make(map[string]bool)
	if name, err := os.Hostname(); err == nil && name != "" {
		names[hostName(name)] = true
	}
	if f, err := os.Open(hostsFile); err == nil {
		defer f.Close()
		const most = 4 << 20 // bytes; lists of names to be blocked are long
		readHosts(io.LimitReader(f, most), names)
	}
	return names
}

// readHosts adds the names that a hosts file gives to loopback addresses.
func readHosts(r io.Reader, names map[string]bool) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if addr, err := netip.ParseAddr(fields[0]); err != nil || !addr.Unmap().IsLoopback() {
			continue
		}
		for _, name := range fields[1:] {
			names[hostName(name)] = true
		}
	}
}

// crossSite says why a request that may change something is refused, "" if it is
// not: a browser sends it for a page of another origin, or does not say for which.
// A browser asks before it sends a content type that an HTML form cannot have, and
// is not given leave; the other types a page of any origin may send unasked.
// Programs bear no mark of a browser, and pass.
func (hs *httpServer) crossSite(r *http.Request) (why string) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions {
		return ""
	}
	if err := hs.cross.Check(r); err != nil {
		return err.Error()
	}
	origin, sent := r.Header["Origin"]
	if sent && (len(origin) != 1 || origin[0] == "") {
		return "the header Origin is empty or there are several"
	}
	if sent || r.Header.Get("Sec-Fetch-Site") != "" || !formCanSend(r) || !isBrowser(r) {
		return ""
	}
	if strings.HasPrefix(r.URL.Path, "/RPC2") {
		return "" // serveRPC takes no call of such a type from a browser at all
	}
	if page, err := url.Parse(r.Header.Get("Referer")); err == nil && sameHost(page.Host, r.Host) && page.Host != "" {
		return ""
	}
	return "a browser that sends neither Origin nor Sec-Fetch-Site must come from a page of this server"
}

// formCanSend reports whether a page can have a browser send a body of this type to
// any server: that of an HTML form, and one without a type.
func formCanSend(r *http.Request) bool {
	types := r.Header["Content-Type"]
	if len(types) != 1 {
		return true
	}
	kind, _, _ := strings.Cut(types[0], ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "application/x-www-form-urlencoded", "multipart/form-data", "text/plain", "":
		return true
	}
	return !strings.Contains(kind, "/") // no type at all
}

// isBrowser reports whether a request bears any mark of a browser.
func isBrowser(r *http.Request) bool {
	for name := range r.Header {
		switch name {
		case "Origin", "Referer", "Cookie", "Dnt", "Accept-Language", "Upgrade-Insecure-Requests":
			return true
		}
		if strings.HasPrefix(name, "Sec-") {
			return true
		}
	}
	agent := r.Header.Get("User-Agent")
	return strings.Contains(agent, "Mozilla/") || strings.HasPrefix(agent, "Opera/")
}
