package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"time"
)

// lambdaRuntime is the runtime API of Lambda, for one process of a function: what is still
// under way of a process that has ended must not be taken for the next one's.
type lambdaRuntime struct {
	server  *http.Server
	address string
	// polled receives a value for each poll, which is then answered from events.
	polled chan struct{}
	events chan []byte
	// answers receives what the function returns for an event, and failures its errors.
	answers, failures chan []byte
}

func listen(ctx context.Context) (*lambdaRuntime, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &lambdaRuntime{
		address: listener.Addr().String(), polled: make(chan struct{}),
		events: make(chan []byte), answers: make(chan []byte), failures: make(chan []byte),
	}
	const invocation = "/2018-06-01/runtime/invocation/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+invocation+"next", r.next)
	mux.HandleFunc("POST "+invocation+"{id}/response", receive(r.answers))
	mux.HandleFunc("POST "+invocation+"{id}/error", receive(r.failures))
	r.server = &http.Server{Handler: mux}
	go func() { _ = r.server.Serve(listener) }() // it fails when it is closed
	return r, nil
}

func (r *lambdaRuntime) close() { _ = r.server.Close() }

func (r *lambdaRuntime) next(w http.ResponseWriter, req *http.Request) {
	select {
	case r.polled <- struct{}{}:
	case <-req.Context().Done():
		return
	}
	select {
	case event := <-r.events:
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", "1")
		w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(time.Minute).UnixMilli()))
		_, _ = w.Write(event) // a function that has ended needs none
	case <-req.Context().Done():
	}
}

// receive hands on what a function sends.
func receive(to chan<- []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		select {
		case to <- body:
			w.WriteHeader(http.StatusAccepted)
		case <-req.Context().Done():
		}
	}
}

// used is the processor time of a function's process until its first poll, and, if it
// received an event, until it answered that.
type used struct{ polled, answered time.Duration }

// start starts a function, waits for its first poll and, if there is an event, for its
// answer, and ends it.
func start(ctx context.Context, binary string, environment []string, event []byte) (u used, err error) {
	r, err := listen(ctx)
	if err != nil {
		return used{}, err
	}
	defer r.close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	process := exec.CommandContext(ctx, binary)
	process.Env = append(slices.Clone(environment), "AWS_LAMBDA_RUNTIME_API="+r.address)
	var said bytes.Buffer // read once the process has ended
	process.Stdout, process.Stderr = &said, &said
	if err := process.Start(); err != nil {
		return used{}, err
	}
	ended, how := make(chan struct{}), error(nil)
	go func() {
		defer close(ended)
		how = process.Wait()
	}()
	defer func() {
		cancel()
		<-ended
	}()
	early := func(before string) error {
		return fmt.Errorf("it ended before it %s: %w\n%s", before, errors.Join(how, ctx.Err()), said.Bytes())
	}
	select {
	case <-ended:
		return used{}, early("polled")
	case <-r.polled:
	}
	if u.polled, err = usedBy(process.Process.Pid); err != nil || event == nil {
		return u, err
	}
	select {
	case <-ended:
		return used{}, early("received the event")
	case r.events <- event:
	}
	select {
	case <-ended:
		return used{}, early("answered")
	case failure := <-r.failures:
		return used{}, fmt.Errorf("it failed: %.300s", failure)
	case answer := <-r.answers:
		if len(answer) > 0 && !bytes.Contains(answer, []byte(`"statusCode":200`)) && string(answer) != "null" {
			return used{}, fmt.Errorf("it answered %.300s", answer)
		}
	}
	u.answered, err = usedBy(process.Process.Pid)
	return u, err
}
