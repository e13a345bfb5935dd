// Hold a lock of a maekawa cluster from Go, through plain gRPC.
//
// Make the package that this imports with the ordinary tools, from the folder that holds `proto`:
//
//	protoc -I proto --go_out=examples/go --go_opt=Mmaekawa/v1/locks.proto=example/locks \
//	  --go-grpc_out=examples/go --go-grpc_opt=Mmaekawa/v1/locks.proto=example/locks \
//	  --go_opt=module=example --go-grpc_opt=module=example maekawa/v1/locks.proto
//
//	cd examples/go && go mod init example && go mod tidy && go run . 127.0.0.1:7001 invoices
//
// A lock is a stream: it is held for as long as the stream is open.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"example/locks"
)

var start = time.Now()

// nowMs is our own monotonic time; only we ever read it.
func nowMs() float64 { return float64(time.Since(start)) / float64(time.Millisecond) }

func main() {
	conn, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	if err := withLock(conn, os.Args[2], func(ctx context.Context, token uint64) {
		fmt.Println("holding", os.Args[2], "with token", token)
	}); err != nil {
		log.Fatal(err)
	}
}

// withLock runs inside while the lock is held. ctx is done the moment that the lock is lost or, by our
// own clock, may have run out.
func withLock(conn *grpc.ClientConn, name string, inside func(ctx context.Context, token uint64)) error {
	stream, err := locks.NewLocksClient(conn).Hold(context.Background())
	if err != nil {
		return err
	}
	ctx, lost := context.WithCancel(context.Background())
	defer lost()
	if err := stream.Send(&locks.HoldRequest{Kind: &locks.HoldRequest_Acquire{Acquire: &locks.Acquire{
		Lock: []byte(name), Mode: locks.LockMode_LOCK_MODE_EXCLUSIVE, Pings: true, SentAtMs: nowMs(),
	}}}); err != nil {
		return err
	}
	// Only this goroutine sends from here on.
	ping := func(leaseMs uint32, done <-chan struct{}) {
		for ticker := time.NewTicker(time.Duration(leaseMs) * time.Millisecond / 4); ; {
			select {
			case <-done:
				ticker.Stop()
				_ = stream.CloseSend() // releases the lock at once
				return
			case <-ticker.C:
				_ = stream.Send(&locks.HoldRequest{Kind: &locks.HoldRequest_Ping{Ping: &locks.Ping{SentAtMs: nowMs()}}})
			}
		}
	}
	done := make(chan struct{})
	finished := make(chan struct{})
	var deadline *time.Timer
	pinging := false
	beginPings := func(leaseMs uint32) {
		if !pinging {
			pinging = true
			go ping(leaseMs, done)
		}
	}
	for {
		event, err := stream.Recv()
		if err != nil {
			lost()
			select {
			case <-finished:
				return nil // we were done, and the node ended the stream
			default:
				return err
			}
		}
		switch kind := event.Kind.(type) {
		case *locks.HoldEvent_Queued:
			beginPings(kind.Queued.LeaseMs)
		case *locks.HoldEvent_Held:
			beginPings(kind.Held.LeaseMs)
			deadline = time.AfterFunc(left(kind.Held.SentAtMs, kind.Held.ValidForMs), lost)
			go func() {
				inside(ctx, kind.Held.Token)
				close(finished)
				close(done)
			}()
		case *locks.HoldEvent_Valid:
			deadline.Reset(left(kind.Valid.SentAtMs, kind.Valid.ValidForMs))
		case *locks.HoldEvent_Ended:
			lost()
			return fmt.Errorf("%s: %s", kind.Ended.Reason, kind.Ended.Message)
		}
	}
}

// left counts from when we sent what the node answers, so no delay can stretch the lock.
func left(sentAtMs float64, validForMs uint32) time.Duration {
	return time.Duration((sentAtMs + float64(validForMs) - nowMs()) * float64(time.Millisecond))
}
