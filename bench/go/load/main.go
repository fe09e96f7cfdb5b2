// Asks one URL again and again for a bounded time and prints what came back as one line of JSON.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

type report struct {
	Requests  int            `json:"requests"`
	Failed    int            `json:"failed"`
	Failures  map[string]int `json:"failures"`
	Seconds   float64        `json:"seconds"`
	PerSecond float64        `json:"per_second"`
	P50Ms     float64        `json:"p50_ms"`
	P99Ms     float64        `json:"p99_ms"`
	First50Ms float64        `json:"first_p50_ms"`
	First99Ms float64        `json:"first_p99_ms"`
}

type worker struct {
	whole, first []time.Duration
	failures     map[string]int
}

func main() {
	url := flag.String("url", "", "where to POST")
	body := flag.String("body", "", "the JSON body")
	token := flag.String("token", "", "bearer token")
	flight := flag.Int("in-flight", 1, "requests at once")
	length := flag.Duration("for", 3*time.Second, "how long")
	marker := flag.String("first", "", "what a line of the answer must contain to count as its first token")
	flag.Parse()

	client := &http.Client{Transport: &http.Transport{MaxIdleConns: 4096, MaxIdleConnsPerHost: 4096}, Timeout: 60 * time.Second}
	began := time.Now()
	end := began.Add(*length)
	workers := make([]worker, *flight)
	var wait sync.WaitGroup
	for i := range workers {
		workers[i].failures = map[string]int{}
		wait.Go(func() {
			for time.Now().Before(end) {
				ask(client, *url, *token, []byte(*body), []byte(*marker), &workers[i])
			}
		})
	}
	wait.Wait()
	seconds := time.Since(began).Seconds()

	var whole, first []time.Duration
	out := report{Failures: map[string]int{}, Seconds: seconds}
	for _, w := range workers {
		whole, first = append(whole, w.whole...), append(first, w.first...)
		for cause, count := range w.failures {
			out.Failures[cause] += count
			out.Failed += count
		}
	}
	out.Requests, out.PerSecond = len(whole), float64(len(whole))/seconds
	out.P50Ms, out.P99Ms = quantile(whole, 50), quantile(whole, 99)
	out.First50Ms, out.First99Ms = quantile(first, 50), quantile(first, 99)
	json.NewEncoder(os.Stdout).Encode(out)
}

func ask(client *http.Client, url, token string, body, marker []byte, w *worker) {
	request, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	request.Header.Set("content-type", "application/json")
	if token != "" {
		request.Header.Set("authorization", "Bearer "+token)
	}
	began := time.Now()
	reply, err := client.Do(request)
	if err != nil {
		w.failures["connection"]++
		return
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		io.Copy(io.Discard, reply.Body)
		w.failures[fmt.Sprint(reply.StatusCode)]++
		return
	}
	if len(marker) > 0 {
		lines := bufio.NewReader(reply.Body)
		seen := false
		for {
			line, err := lines.ReadSlice('\n')
			if !seen && bytes.Contains(line, marker) {
				seen = true
				w.first = append(w.first, time.Since(began))
			}
			if err != nil && err != bufio.ErrBufferFull {
				break
			}
		}
		if !seen {
			w.failures["no first token"]++
			return
		}
	} else {
		io.Copy(io.Discard, reply.Body)
	}
	w.whole = append(w.whole, time.Since(began))
}

func quantile(all []time.Duration, percent int) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return float64(all[min(len(all)-1, len(all)*percent/100)].Microseconds()) / 1000
}
