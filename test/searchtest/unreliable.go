package searchtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"gitlab.com/lorehook/lorehook/test/cloud"
)

// ErrLost is the failure of a call whose answer, or which itself, was lost.
var ErrLost = errors.New("the connection was lost")

// Unreliable is a network to AWS on which others work between any two calls, and on which
// writes are delivered late, twice, or without an answer.
type Unreliable struct {
	Random *rand.Rand
	Others func()
	// Calls counts all calls. Late counts the writes that arrived after their caller had
	// gone on, Twice those that were sent again, and Lost those without an answer.
	Calls, Late, Twice, Lost int

	delayed []func() error
}

// Around intercepts calls: see [cloud.InterceptAPI].
func (u *Unreliable) Around(_ context.Context, call cloud.Call, send func() error) error {
	u.Calls++
	if u.Random.IntN(4) == 0 {
		u.Others()
	}
	u.deliver()
	again, writes := repeatable(call)
	switch fate := u.Random.IntN(12); {
	case !writes && u.Random.IntN(50) == 0:
		return ErrLost
	case !writes || fate > 3:
		return send()
	case fate == 0: // it arrives later, if at all
		u.delayed = append(u.delayed, late(call, again))
		return ErrLost
	case fate == 1: // it arrives twice, once later
		u.Twice++
		u.delayed = append(u.delayed, late(call, again))
		return send()
	case fate == 2: // the SDK sends it again, because the first answer was lost
		u.Twice++
		_ = send()
		call.Replace(again())
		return send()
	}
	u.Lost++ // nobody knows whether it arrived
	return errors.Join(ErrLost, send())
}

// repeatable reports whether the call writes, and returns a function that makes its input
// anew: a body can be read once.
func repeatable(call cloud.Call) (input func() any, writes bool) {
	switch in := call.Input.(type) {
	case *s3.PutObjectInput:
		content, err := io.ReadAll(in.Body)
		input = func() any {
			fresh := *in
			fresh.Body = bytes.NewReader(content)
			return &fresh
		}
		call.Replace(input())
		return input, err == nil
	case *s3.DeleteObjectsInput:
		return func() any { return in }, true
	}
	return func() any { return call.Input }, call.Writes()
}

func late(call cloud.Call, input func() any) func() error {
	return func() error {
		call.Replace(input())
		return call.Land()
	}
}

// deliver delivers some of what was delayed.
func (u *Unreliable) deliver() {
	var still []func() error
	for _, land := range u.delayed {
		if u.Random.IntN(8) != 0 {
			still = append(still, land)
			continue
		}
		u.Late++
		_ = land() // nobody waits for the answer
	}
	u.delayed = still
}
