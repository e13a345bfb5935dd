// Hold a lock of a maekawa cluster from Go, through plain gRPC.
//
// Make the package that this imports with the ordinary tools, from the folder that holds `proto`:
//
//	protoc -I proto --go_out=examples/go --go_opt=Mmaekawa/v1/locks.proto=example/locks \
//	  --go-grpc_out=examples/go --go-grpc_opt=Mmaekawa/v1/locks.proto=example/locks \
//	  --go_opt=module=example --go-grpc_opt=module=example maekawa/v1/locks.proto
//
//	cd examples/go && go mod init example && go mod tidy && go run . 127.0.0.1:7001 invoices 10s
//
// A lock is a stream: it is held for as long as the stream is open.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"

	"example/locks"
)

func main() {
	log.SetFlags(0)
	address, name, work := os.Args[1], os.Args[2], time.Duration(0)
	if len(os.Args) > 3 {
		var err error
		if work, err = time.ParseDuration(os.Args[3]); err != nil {
			log.Fatal(err)
		}
	}
	conn, err := dial(address)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	if err := withLock(context.Background(), conn, name, func(held context.Context, token uint64) error {
		fmt.Println("holding", name, "with token", token)
		select {
		case <-time.After(work):
			return nil
		case <-held.Done():
			return held.Err()
		}
	}); err != nil {
		log.Fatal(err)
	}
	fmt.Println("released")
}

// withLock calls inside while the lock is held, and returns when inside has returned and the lock is released.
// Its context is done as soon as the lock is lost or, by our own clock, may have run out: then inside must
// stop. Show the token, larger than that of every earlier holder, to the resource that the lock protects.
func withLock(ctx context.Context, conn *grpc.ClientConn, name string, inside func(held context.Context, token uint64) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // of a stream that is open still, when we return early
	stream, err := locks.NewLocksClient(conn).Hold(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(&locks.HoldRequest{Kind: &locks.HoldRequest_Acquire{Acquire: &locks.Acquire{
		Name: &locks.Acquire_Lock{Lock: []byte(name)}, Mode: locks.LockMode_LOCK_MODE_EXCLUSIVE, Pings: true, SentAtMs: nowMs(),
	}}}); err != nil && err != io.EOF { // io.EOF: the status is told by Recv
		return err
	}
	events, broken := receive(ctx, stream)

	held, lose := context.WithCancel(ctx)
	defer lose()
	result := make(chan error, 1)
	isHeld := false
	var ping, runsOut <-chan time.Time
	validUntilMs := 0.0
	valid := func(sentAtMs float64, validForMs uint32) {
		// Counted from when we sent what the node answers, so no delay can stretch the lock.
		if until := sentAtMs + float64(validForMs); until > validUntilMs {
			validUntilMs = until
			runsOut = time.After(time.Duration((until - nowMs()) * float64(time.Millisecond)))
		}
	}
	lost := func(reason error) error {
		lose()
		if isHeld {
			<-result // drop it: the work was not done under the lock
		}
		return reason
	}
	release := func() {
		_ = stream.CloseSend() // releases the lock at once
		late := time.After(time.Second)
		for {
			select {
			case event := <-events: // the node says so too
				if event.GetEnded() != nil {
					return
				}
			case <-broken:
				return
			case <-late:
				return
			}
		}
	}
	for {
		select {
		case event := <-events:
			switch kind := event.Kind.(type) {
			case *locks.HoldEvent_Queued:
				ping = several(kind.Queued.LeaseMs, ping)
			case *locks.HoldEvent_Held:
				ping = several(kind.Held.LeaseMs, ping)
				valid(kind.Held.SentAtMs, kind.Held.ValidForMs)
				isHeld = true
				go func() { result <- inside(held, kind.Held.Token) }()
			case *locks.HoldEvent_Valid:
				valid(kind.Valid.SentAtMs, kind.Valid.ValidForMs)
			case *locks.HoldEvent_Ended:
				err := lost(fmt.Errorf("%s: %s", kind.Ended.Reason, kind.Ended.Message))
				release() // nobody else gets the lock before this, or before it has run out
				return err
			}
		case <-ping:
			// An error is told by Recv.
			_ = stream.Send(&locks.HoldRequest{Kind: &locks.HoldRequest_Ping{Ping: &locks.Ping{SentAtMs: nowMs()}}})
		case <-runsOut:
			return lost(errors.New("lost the lock: it was not renewed in time"))
		case err := <-broken:
			return lost(err)
		case err := <-result:
			release()
			return err
		}
	}
}

// receive passes on the events of the node, and how the stream ended.
func receive(ctx context.Context, stream locks.Locks_HoldClient) (<-chan *locks.HoldEvent, <-chan error) {
	events, broken := make(chan *locks.HoldEvent), make(chan error, 1)
	go func() {
		for {
			event, err := stream.Recv()
			if err != nil {
				broken <- err
				return
			}
			select {
			case events <- event:
			case <-ctx.Done():
				return
			}
		}
	}()
	return events, broken
}

// several signs of life are due in each lease.
func several(leaseMs uint32, already <-chan time.Time) <-chan time.Time {
	if already != nil {
		return already
	}
	return time.Tick(time.Duration(leaseMs) * time.Millisecond / 5)
}

var start = time.Now()

// nowMs is our own monotonic time; only we ever read it. It stands still while the machine sleeps: a program
// on a laptop asks the system for its boot time instead.
func nowMs() float64 { return float64(time.Since(start)) / float64(time.Millisecond) }
