// A LoRAX that answers at once: what is left of a measured time is whoever stands in front of it.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"time"
)

func main() {
	address := flag.String("address", "127.0.0.1:0", "where to listen")
	tokens := flag.Int("tokens", 64, "tokens of an answer")
	pause := flag.Duration("pause", 0, "time between the tokens of a stream, and before a plain answer for each token")
	flag.Parse()

	text := strings.TrimSpace(strings.Repeat("word ", *tokens))
	plain := []byte(fmt.Sprintf(`{"id":"null","object":"text_completion","created":0,"model":"base","choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":%d,"total_tokens":%d}}`, text, *tokens, *tokens+20))
	delta := []byte(`data: {"id":"null","object":"chat.completion.chunk","created":0,"model":"null","choices":[{"index":0,"delta":{"role":"assistant","content":"word "},"finish_reason":null}]}` + "\n\n")
	last := []byte(fmt.Sprintf(`data: {"id":"null","object":"chat.completion.chunk","created":0,"model":"null","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":%d,"total_tokens":%d}}`+"\n\ndata: [DONE]\n\n", *tokens, *tokens+20))

	http.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {})
	http.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "# TYPE lorax_request_count counter\nlorax_request_count 1\n")
	})
	http.HandleFunc("/v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if !bytes.Contains(body, []byte(`"stream":true`)) && !bytes.Contains(body, []byte(`"stream": true`)) {
			time.Sleep(*pause * time.Duration(*tokens))
			w.Header().Set("content-type", "application/json")
			w.Header().Set("x-queue-time", "0")
			w.Header().Set("x-total-time", "0")
			w.Write(plain)
			return
		}
		w.Header().Set("content-type", "text/event-stream")
		flusher := w.(http.Flusher)
		for range *tokens {
			if *pause > 0 {
				time.Sleep(*pause)
			}
			if _, err := w.Write(delta); err != nil {
				return
			}
			if *pause > 0 {
				flusher.Flush()
			}
		}
		w.Write(last)
	})
	log.Fatal(http.ListenAndServe(*address, nil))
}
