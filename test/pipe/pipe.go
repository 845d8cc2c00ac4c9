// Package pipe connects an HTTP client with a server in memory, for tests on simulated time
// ([testing/synctest]). On a network a transport decides by the clock whether it uses a
// connection again, so a busy machine changes what a test counts.
package pipe

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
)

// Network leads to one server, whatever the address.
type Network struct {
	connections chan net.Conn
	closed      chan struct{}
	dialled     atomic.Int64
}

// Serve returns a network that leads to a server with the handler, which ends with the test.
// It is called within [testing/synctest.Test].
func Serve(t *testing.T, handler http.Handler) *Network {
	n := &Network{connections: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: handler} //nolint:gosec // nobody else reaches it
	go func() { _ = server.Serve(n) }()      // it returns when it is closed
	t.Cleanup(func() { _ = server.Close() })
	return n
}

// Dial connects with the server. It is for [http.Transport.DialContext].
func (n *Network) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case n.connections <- server:
		n.dialled.Add(1)
		return client, nil
	case <-n.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Dialled returns how many connections there were so far.
func (n *Network) Dialled() int { return int(n.dialled.Load()) }

// Accept implements [net.Listener].
func (n *Network) Accept() (net.Conn, error) {
	select {
	case c := <-n.connections:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (n *Network) Close() error {
	close(n.closed)
	return nil
}

// Addr implements [net.Listener].
func (n *Network) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }
