// The yardstick: the same fan-out in Go with net/http, and nothing else that a service needs (no validation of its
// input, no metrics, no logs, no deadlines, no attribution).
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"sync"
)

type question struct {
	UserInput string `json:"user_input"`
	Stream    bool   `json:"stream"`
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type chat struct {
	Model     string    `json:"model"`
	Messages  []message `json:"messages"`
	MaxTokens int       `json:"max_tokens"`
	Stream    bool      `json:"stream"`
}

type completion struct {
	Choices []struct {
		Message message `json:"message"`
		Delta   message `json:"delta"`
	} `json:"choices"`
}

type answer struct {
	Agent string `json:"agent"`
	Text  string `json:"text"`
}

func main() {
	address := flag.String("address", "127.0.0.1:0", "where to listen")
	upstream := flag.String("upstream", "", "URL of the upstream")
	members := flag.Int("members", 5, "requests for each question")
	flag.Parse()
	client := &http.Client{Transport: &http.Transport{MaxIdleConns: 8192, MaxIdleConnsPerHost: 8192}}

	post := func(agent, text string, stream bool) (*http.Response, error) {
		body, err := json.Marshal(chat{agent, []message{{"user", text}}, 64, stream})
		if err != nil {
			return nil, err
		}
		return client.Post(*upstream+"/v1/chat/completions", "application/json", bytes.NewReader(body))
	}

	http.HandleFunc("/v1/ask", func(w http.ResponseWriter, r *http.Request) {
		var asked question
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if asked.Stream {
			merge(w, *members, asked.UserInput, post)
			return
		}
		answers := make([]answer, *members)
		var wait sync.WaitGroup
		for i := range *members {
			wait.Go(func() {
				answers[i].Agent = fmt.Sprintf("agent-%d", i)
				reply, err := post(answers[i].Agent, asked.UserInput, false)
				if err != nil {
					return
				}
				defer reply.Body.Close()
				var read completion
				if json.NewDecoder(reply.Body).Decode(&read) == nil && len(read.Choices) > 0 {
					answers[i].Text = read.Choices[0].Message.Content
				}
			})
		}
		wait.Wait()
		w.Header().Set("content-type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"answers": answers})
	})
	http.HandleFunc("/v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		reply, err := client.Post(*upstream+"/v1/chat/completions", "application/json", bytes.NewReader(body))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer reply.Body.Close()
		w.Header().Set("content-type", reply.Header.Get("content-type"))
		io.Copy(w, reply.Body)
	})
	log.Fatal(http.ListenAndServe(*address, nil))
}

// merge sends the members' streams on as one, event by event.
func merge(w http.ResponseWriter, members int, text string, post func(string, string, bool) (*http.Response, error)) {
	w.Header().Set("content-type", "text/event-stream")
	flusher := w.(http.Flusher)
	events := make(chan []byte, 64)
	var wait sync.WaitGroup
	for i := range members {
		wait.Go(func() {
			agent := fmt.Sprintf("agent-%d", i)
			reply, err := post(agent, text, true)
			if err != nil {
				return
			}
			defer reply.Body.Close()
			lines := bufio.NewScanner(reply.Body)
			for lines.Scan() {
				data, found := strings.CutPrefix(lines.Text(), "data: ")
				if !found || data == "[DONE]" {
					continue
				}
				var read completion
				if json.Unmarshal([]byte(data), &read) != nil || len(read.Choices) == 0 {
					continue
				}
				out, _ := json.Marshal(answer{agent, read.Choices[0].Delta.Content})
				events <- []byte("event: member.delta\ndata: " + string(out) + "\n\n")
			}
		})
	}
	go func() { wait.Wait(); close(events) }()
	for event := range events {
		w.Write(event)
		// What has come meanwhile goes with it, in one write.
		for drained := false; !drained; {
			select {
			case more, open := <-events:
				if !open {
					drained = true
				} else {
					w.Write(more)
				}
			default:
				drained = true
			}
		}
		flusher.Flush()
	}
	io.WriteString(w, "event: result\ndata: {}\n\n")
}
