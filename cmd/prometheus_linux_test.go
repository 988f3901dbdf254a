package cmd

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"supervisord/cmd/internal/oracle"
	"supervisord/runtime/needs"
)

// TestPrometheus runs Debian's Prometheus and its node_exporter as programs. Prometheus
// scrapes the daemon without its password, and finds the exporter by it; the exporter, with
// the password, asks for the states of all programs.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	needs.Program(t, "prometheus", "REQUIRE_PROMETHEUS")
	needs.Program(t, "prometheus-node-exporter", "REQUIRE_PROMETHEUS")
	dir := t.TempDir()
	exporter, prometheus := unused(t), unused(t)
	s := oracle.StartDaemon(t, oracle.Ours, dir, oracle.Prelude+fmt.Sprintf(`
[inet_http_server]
port=127.0.0.1:{{.Port}}
username=u
password=p
metrics=open
[program:exporter]
command=prometheus-node-exporter --web.listen-address=%s --collector.disable-defaults --collector.supervisord --collector.supervisord.url=http://u:p@127.0.0.1:{{.Port}}/RPC2
metrics_port=%s
[program:prometheus]
command=prometheus --web.listen-address=%s --config.file=%[4]s/prometheus.yml --storage.tsdb.path=%[4]s/tsdb
`, exporter, exporter[strings.Index(exporter, ":")+1:], prometheus, dir))
	config := fmt.Sprintf(`{global: {scrape_interval: 2s, scrape_timeout: 2s}, scrape_configs: [
{job_name: supervisord, static_configs: [{targets: ["127.0.0.1:%[1]d"]}]},
{job_name: programs, http_sd_configs: [{url: "http://127.0.0.1:%[1]d/sd", refresh_interval: 1s}]}]}`, s.Port)
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Ctl(oracle.Ours, "restart", "prometheus") // which did not wait for the file
	for _, query := range []string{
		`up{job="supervisord"} == 1`,
		`up{job="programs", supervisord_group="exporter", supervisord_name="exporter"} == 1`,
		`node_supervisord_up{name="exporter", group="exporter"} == 1`,
		`supervisord_process_resident_memory_bytes{name="prometheus"} > 1e6`,
		`rate(supervisord_process_cpu_seconds_total{name="prometheus"}[1m]) > 0`,
		`supervisord_reconcile_phase{phase="synced"} == 1`,
	} {
		answer := ""
		if !oracle.Eventually(oracle.Deadline, func() bool {
			answer = httpGet("http://" + prometheus + "/api/v1/query?query=" + url.QueryEscape(query))
			return strings.Contains(answer, `"value":[`)
		}) {
			t.Errorf("%s: %s\n%s", query, answer, s.Log())
		}
	}
}

// unused is an address of this machine at which nobody listens.
func unused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// httpGet is what is answered there, "" for nothing.
func httpGet(address string) string {
	resp, err := http.Get(address)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return string(text)
}
