package dev.sparkmla.arrow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.text.Message;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.IntVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.complex.MapVector;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class RequestBatchTest {
  private final RootAllocator parent = new RootAllocator();
  private final BufferAllocator own = parent.newChildAllocator("requests", 0, Long.MAX_VALUE);

  @AfterEach
  void nothingIsLeft() {
    own.close();
    parent.close();
  }

  private RequestBatch batch(FieldVector prompts, MapVector params, VarCharVector systems) {
    return new RequestBatch(
        root(prompts, params, systems), own, new CommonRequest(OverflowPolicy.TRUNCATE_LEFT));
  }

  private static VectorSchemaRoot root(
      FieldVector prompts, MapVector params, VarCharVector systems) {
    VectorSchemaRoot columns = new VectorSchemaRoot(List.of(prompts, params, systems));
    columns.setRowCount(prompts.getValueCount());
    return columns;
  }

  private static Optional<GenerationRequest> asked(
      Prompt prompt, Optional<String> system, Map<String, String> params) {
    return Optional.of(new GenerationRequest(prompt, system, params, OverflowPolicy.TRUNCATE_LEFT));
  }

  @Test
  void readsTexts() {
    try (RequestBatch batch =
        batch(
            Batches.texts(own, "prompt", Arrays.asList("one", null, "ünï \uD83D\uDE00", "")),
            Batches.params(
                own,
                Arrays.asList(
                    Map.of("seed", "7"), Map.of(), Collections.singletonMap("stop", null), null)),
            Batches.texts(own, "system", Arrays.asList("s", "t", null, null)))) {
      assertThat(batch.rows()).isEqualTo(4);
      assertThat(batch.parentAllocator()).isSameAs(parent);
      assertThat(batch.request(0))
          .isEqualTo(asked(new Prompt.Raw("one"), Optional.of("s"), Map.of("seed", "7")));
      assertThat(batch.request(1)).isEmpty();
      assertThat(batch.request(2))
          .isEqualTo(asked(new Prompt.Raw("ünï \uD83D\uDE00"), Optional.empty(), Map.of()));
      assertThat(batch.request(3)).isEqualTo(asked(new Prompt.Raw(""), Optional.empty(), Map.of()));
    }
    assertThat(parent.getAllocatedMemory()).isZero();
  }

  @Test
  void hasWhatRowsHaveInCommon() {
    CommonRequest common =
        new CommonRequest(
            Map.of("seed", "7", "top_k", "3"), Optional.of("all"), OverflowPolicy.ERROR);
    VectorSchemaRoot prompts =
        new VectorSchemaRoot(List.of(Batches.texts(own, "prompt", Arrays.asList("one", null))));
    prompts.setRowCount(2);
    try (RequestBatch batch = new RequestBatch(prompts, own, common)) {
      assertThat(batch.request(0))
          .hasValue(
              new GenerationRequest(
                  new Prompt.Raw("one"), common.system(), common.params(), OverflowPolicy.ERROR));
      assertThat(batch.request(1)).isEmpty();
    }
  }

  @Test
  void addsWhatIsARowsOwn() {
    CommonRequest common =
        new CommonRequest(Map.of("seed", "7"), Optional.of("all"), OverflowPolicy.ERROR);
    VectorSchemaRoot columns =
        new VectorSchemaRoot(
            List.of(
                Batches.texts(own, "system", Arrays.asList("own", null)),
                Batches.params(own, Arrays.asList(Map.of("seed", "8", "top_k", "3"), null)),
                Batches.texts(own, "prompt", List.of("one", "two"))));
    columns.setRowCount(2);
    try (RequestBatch batch = new RequestBatch(columns, own, common)) {
      GenerationRequest first = batch.request(0).orElseThrow();
      assertThat(first.system()).hasValue("own");
      assertThat(first.params()).isEqualTo(Map.of("seed", "7", "top_k", "3"));
      GenerationRequest second = batch.request(1).orElseThrow();
      assertThat(second.system()).hasValue("all");
      assertThat(second.params()).isEqualTo(Map.of("seed", "7"));
    }
  }

  @Test
  void needsPrompts() {
    try (VarCharVector systems = Batches.texts(own, "system", List.of())) {
      VectorSchemaRoot columns = new VectorSchemaRoot(List.of(systems));
      assertThatThrownBy(
              () -> new RequestBatch(columns, own, new CommonRequest(OverflowPolicy.ERROR)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("expected prompt: utf8");
    }
  }

  @Test
  void copiesRows() {
    List<Message> conversation =
        List.of(
            new Message("user", "ä"), new Message("assistant", null), new Message("user", "two"));
    Map<String, String> seed = Map.of("seed", "7", "top_p", "0.5");
    List<FieldVector> columns =
        List.of(
            Batches.texts(own, "prompt", Arrays.asList("one", null, "", "four")),
            Batches.conversations(own, Arrays.asList(List.of(), conversation, null, conversation)));
    int[] rows = {1, 3};
    for (FieldVector prompts : columns) {
      try (RequestBatch batch =
              new RequestBatch(
                  root(
                      prompts,
                      Batches.params(own, Arrays.asList(Map.of(), seed, null, seed)),
                      Batches.texts(own, "system", Arrays.asList("s", "t", null, null))),
                  own.newChildAllocator("no more", 0, 0),
                  new CommonRequest(
                      Map.of("n", "2"), Optional.of("all"), OverflowPolicy.TRUNCATE_LEFT));
          RequestBatch copy = batch.copyOf(rows)) {
        assertThat(copy.rows()).isEqualTo(rows.length);
        assertThat(copy.parentAllocator()).isSameAs(batch.parentAllocator());
        for (int row = 0; row < rows.length; row++) {
          assertThat(copy.request(row)).isEqualTo(batch.request(rows[row]));
          assertThat(copy.promptBytes(row)).isEqualTo(batch.promptBytes(rows[row]));
        }
      }
    }
  }

  @Test
  void tellsHowRowsBeginAndHowLongTheyAre() {
    List<Message> conversation =
        List.of(
            new Message("user", "ä"), new Message("assistant", null), new Message("user", "two"));
    try (RequestBatch batch =
        batch(
            Batches.conversations(own, Arrays.asList(conversation, List.of(), null)),
            Batches.params(own, Collections.nCopies(3, null)),
            Batches.texts(own, "system", Arrays.asList("say", null, "say")))) {
      assertThat(batch.promptBytes(0)).isEqualTo(8);
      assertThat(batch.beginning(0, 6)).asString(StandardCharsets.UTF_8).isEqualTo("sayät");
      assertThat(batch.beginning(0, 2)).asString(StandardCharsets.UTF_8).isEqualTo("sa");
      assertThat(batch.beginning(0, 9)).asString(StandardCharsets.UTF_8).isEqualTo("sayätwo");
      for (int empty : new int[] {1, 2}) {
        assertThat(batch.promptBytes(empty)).isZero();
        assertThat(batch.beginning(empty, 9)).isEmpty();
      }
    }
  }

  @Test
  void replacesBytesThatAreNoText() {
    VarCharVector prompts = Batches.texts(own, "prompt", List.of("?"));
    prompts.setSafe(0, new byte[] {'a', (byte) 0xff, 'b'});
    try (RequestBatch batch =
        batch(
            prompts,
            Batches.params(own, List.of(Map.of())),
            Batches.texts(own, "system", Collections.singletonList(null)))) {
      assertThat(batch.request(0))
          .isEqualTo(asked(new Prompt.Raw("a\uFFFDb"), Optional.empty(), Map.of()));
    }
  }

  @Test
  void readsConversations() {
    List<Message> whole =
        List.of(
            new Message("user", "a"),
            new Message("assistant", "b", Optional.of("{\"name\": \"x\"}")));
    List<Message> broken = List.of(new Message("user", null), new Message(null, "x"));
    try (RequestBatch batch =
        batch(
            Batches.conversations(own, Arrays.asList(whole, List.of(), null, broken)),
            Batches.params(own, Collections.nCopies(4, Map.of())),
            Batches.texts(own, "system", Collections.nCopies(4, null)))) {
      assertThat(batch.request(0))
          .isEqualTo(asked(new Prompt.Chat(whole), Optional.empty(), Map.of()));
      assertThat(batch.request(1))
          .isEqualTo(asked(new Prompt.Chat(List.of()), Optional.empty(), Map.of()));
      assertThat(batch.request(2)).isEmpty();
      assertThat(batch.request(3))
          .isEqualTo(asked(new Prompt.Chat(broken), Optional.empty(), Map.of()));
    }
  }

  @Test
  void refusesPromptsThatAreNeither() {
    try (IntVector prompts = new IntVector("prompt", own);
        MapVector params = Batches.params(own, List.of());
        VarCharVector systems = Batches.texts(own, "system", List.of())) {
      assertThatThrownBy(() -> batch(prompts, params, systems))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("prompt: Int(32, true)")
          .hasMessageContaining("expected prompt: utf8 or list");
    }
  }
}
