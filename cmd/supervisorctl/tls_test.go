package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// authority signs certificates; its own is in file.
type authority struct {
	file string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newAuthority writes NAME.crt to dir.
func newAuthority(t *testing.T, dir, name string) authority {
	t.Helper()
	a := authority{file: filepath.Join(dir, name+".crt")}
	a.cert, a.key = a.make(t, dir, name, &x509.Certificate{IsCA: true, BasicConstraintsValid: true})
	return a
}

// sign writes NAME.crt and NAME.key, for this machine and for use, to dir.
func (a authority) sign(t *testing.T, dir, name string, use x509.ExtKeyUsage) {
	t.Helper()
	a.make(t, dir, name, &x509.Certificate{
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{use},
	})
}

func (a authority) make(t *testing.T, dir, name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.Subject = big.NewInt(1), pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		name + ".crt": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// ctlFile writes a configuration of the client alone.
func ctlFile(t *testing.T, dir, name string, lines ...string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte("[supervisorctl]\n"+strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestTLS: a daemon that lets in only clients with a certificate is controlled by
// one that has it and knows the daemon's authority; any other is told what is
// wrong.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	servers, clients := newAuthority(t, dir, "servers"), newAuthority(t, dir, "clients")
	servers.sign(t, dir, "server", x509.ExtKeyUsageServerAuth)
	clients.sign(t, dir, "me", x509.ExtKeyUsageClientAuth)
	servers.sign(t, dir, "stranger", x509.ExtKeyUsageClientAuth)
	d := oracle.StartDaemon(t, oracle.Ours, dir, oracle.Prelude+`[inet_http_server]
port=127.0.0.1:{{.Port}}
certfile={{.Dir}}/server.crt
keyfile={{.Dir}}/server.key
client_ca={{.Dir}}/clients.crt

[program:cat]
command=/bin/sh -c "echo begun; exec cat"
autostart=false
`)
	address := fmt.Sprintf("127.0.0.1:%d", d.Port)
	url, ca := "serverurl=https://"+address, "server_ca=servers.crt"
	certificate := func(name string) string {
		return "certfile=%(here)s/" + name + ".crt\nkeyfile=%(here)s/" + name + ".key"
	}

	good := ctlFile(t, dir, "good.conf", url, ca, certificate("me"))
	for _, row := range []struct {
		command string
		want    oracle.Output
	}{
		{"status", oracle.Output{Stdout: "cat                              STOPPED   Not started\n", Exit: 3}},
		{"start cat", oracle.Output{Stdout: "cat: started\n"}},
		{"tail cat", oracle.Output{Stdout: "begun\n\n"}},
		{"shutdown extra", oracle.Output{Stdout: "Error: shutdown accepts no arguments\n" + find("shutdown").help + "\n", Exit: 1}},
	} {
		if out := ctl(t, oracle.Ours, dir, "", "-c", good, row.command); out != row.want {
			t.Errorf("%s: %v", row.command, out)
		}
	}
	follow := inTerminal(t, oracle.Ours, dir, "-c", good, "tail", "-f", "cat")
	follow.expect("begun")
	if _, err := d.Call("supervisor.sendProcessStdin", "cat", "more\n"); err != nil {
		t.Fatal(err)
	}
	follow.expect("more")
	follow.send("\x03")
	if exit := follow.wait(); exit != 0 {
		t.Errorf("tail -f: exit %d; shown:\n%s", exit, follow.shown())
	}

	for name, row := range map[string]struct {
		lines []string
		text  string // what scripts see
		hint  string
	}{
		"authority unknown":      {[]string{url, certificate("me")}, "error: https://", "hint: The server's certificate is not signed by an authority that this machine trusts."},
		"another authority":      {[]string{url, certificate("me"), "server_ca=clients.crt"}, "error: https://", "not signed by an authority in " + clients.file},
		"another host":           {[]string{"serverurl=https://localhost:" + fmt.Sprint(d.Port), ca}, "error: https://", "is for a different host than serverurl names"},
		"no certificate":         {[]string{url, ca}, "error: https://", "accepts only clients with a certificate. Set certfile and keyfile"},
		"a strange certificate":  {[]string{url, ca, certificate("stranger")}, "error: https://", "does not accept the certificate in " + dir + "/stranger.crt"},
		"http to a TLS port":     {[]string{"serverurl=http://" + address}, "xmlrpc.client.ProtocolError", "hint: The server speaks TLS. Its URL is https://" + address + "."},
		"no file of that name":   {[]string{url, "certfile=no.crt\nkeyfile=no.key"}, "error: cannot use", "cannot use certfile and keyfile of section [supervisorctl]: open " + dir + "/no.crt: no such file or directory"},
		"a CA without a CA":      {[]string{url, "server_ca=me.key"}, "error: cannot use", "me.key contains no certificate"},
		"a key without its half": {[]string{url, "keyfile=me.key"}, "Error: ", "certfile and keyfile must be given together"},
	} {
		t.Run(name, func(t *testing.T) {
			file := ctlFile(t, dir, strings.ReplaceAll(name, " ", "-")+".conf", row.lines...)
			term := inTerminal(t, oracle.Ours, dir, "-c", file, "version")
			exit := term.wait()
			shown := strings.ReplaceAll(term.shown(), "\n", "")
			if !strings.Contains(shown, row.hint) || !strings.Contains(shown, row.text) || exit == 0 {
				t.Errorf("exit %d without %s or %q:\n%s", exit, row.text, row.hint, term.shown())
			}
		})
	}
}

// TestTLSToPlain: a server that does not speak TLS is told from one that cannot be
// reached.
func TestTLSToPlain(t *testing.T) {
	t.Parallel()
	for kind, hint := range map[oracle.Kind]string{
		oracle.Ours:   "hint: The server does not speak TLS. Its URL is http://",
		oracle.Debian: "hint: The server does not seem to speak TLS. If it does not, its URL is http://",
	} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			d := oracle.StartDaemon(t, kind, dir, oracle.Prelude+"[inet_http_server]\nport=127.0.0.1:{{.Port}}\n")
			address := fmt.Sprintf("127.0.0.1:%d", d.Port)
			term := inTerminal(t, oracle.Ours, dir, "-s", "https://"+address, "version")
			exit := term.wait()
			if want := hint + address + "."; !strings.Contains(term.shown(), want) || exit != 1 {
				t.Errorf("exit %d without %q:\n%s", exit, want, term.shown())
			}
		})
	}
}

// TestRenewedCertificate: a daemon shows a certificate that was renewed under it, and
// says once that one expires soon.
func TestRenewedCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old, renewed := newAuthority(t, dir, "old"), newAuthority(t, dir, "renewed")
	old.sign(t, dir, "server", x509.ExtKeyUsageServerAuth)
	d := oracle.StartDaemon(t, oracle.Ours, dir, oracle.Prelude+`[inet_http_server]
port=127.0.0.1:{{.Port}}
certfile={{.Dir}}/server.crt
keyfile={{.Dir}}/server.key
`)
	ask := func(ca string) oracle.Output {
		t.Helper()
		file := ctlFile(t, dir, ca+".conf", fmt.Sprintf("serverurl=https://127.0.0.1:%d", d.Port), "server_ca="+ca+".crt")
		return ctl(t, oracle.Ours, dir, "", "-c", file, "version")
	}
	if out := ask("old"); out.Exit != 0 {
		t.Fatal(out)
	}
	renewed.sign(t, dir, "server", x509.ExtKeyUsageServerAuth)
	oracle.WaitFor(t, "the new certificate to be in use", func() bool {
		return strings.Contains(d.Log(), "INFO new certificates of section [inet_http_server] are in use; ")
	})
	if out := ask("renewed"); out.Exit != 0 {
		t.Error(out)
	}
	if out := ask("old"); out.Exit == 0 {
		t.Errorf("the old certificate is shown: %v", out)
	}
	oracle.WaitFor(t, "the warning", func() bool {
		return strings.Contains(d.Log(), "WARN the certificate of section [inet_http_server] expires within a day, at ")
	})
}
