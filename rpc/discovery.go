package rpc

import (
	"cmp"
	"encoding/json"
	"net"
	"net/http"
	"strconv"

	"supervisord/runtime/state"
)

// targetGroup is one entry of Prometheus' HTTP service discovery.
type targetGroup struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// serveDiscovery lists, for Prometheus' HTTP service discovery, the processes that show
// metrics themselves (metrics_port), at the host by which the client has reached us. One
// that was stopped or has ended by itself is not there to be scraped; one that has failed
// is, so that Prometheus misses it.
func (s *Server) serveDiscovery(w http.ResponseWriter, r *http.Request) {
	all, err := s.opt.Processes.Snapshot(r.Context())
	if err != nil {
		httpError(w, http.StatusServiceUnavailable)
		return
	}
	host := cmp.Or(hostName(r.Host), "localhost")
	groups := []targetGroup{}
	for _, p := range all {
		if p.MetricsPort == 0 || p.State == state.Stopped || p.State == state.Exited {
			continue
		}
		groups = append(groups, targetGroup{
			Targets: []string{net.JoinHostPort(host, strconv.Itoa(p.MetricsPort))},
			Labels: map[string]string{
				"__metrics_path__":  cmp.Or(p.MetricsPath, "/metrics"),
				"supervisord_group": p.Group,
				"supervisord_name":  p.Name,
			},
		})
	}
	text, err := json.Marshal(groups)
	if err != nil {
		panic(err) // it is of plain values
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.Write(text)
}
