package dev.sparkmla.arrow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import org.apache.arrow.memory.OutOfMemoryException;
import org.apache.arrow.memory.RootAllocator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ResultBatchTest {
  private final RootAllocator parent = new RootAllocator(1 << 20);

  @AfterEach
  void nothingIsLeft() {
    parent.close();
  }

  private static GenerationResult result(Random random) {
    String words = "ä".repeat(random.nextInt(50));
    return random.nextInt(4) == 0
        ? new GenerationResult(
            "",
            Optional.empty(),
            FinishReason.ERROR,
            random.nextInt(9),
            0,
            0,
            Optional.of(new GenerationError(ErrorCode.PROMPT_TOO_LONG, words)))
        : new GenerationResult(
            words,
            random.nextBoolean() ? Optional.empty() : Optional.of(words + "?"),
            random.nextBoolean() ? FinishReason.STOP : FinishReason.LENGTH,
            random.nextInt(),
            random.nextInt(),
            random.nextInt(),
            Optional.empty());
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5})
  void holdsWhatWasWritten(int seed) {
    Random random = new Random(seed);
    List<Optional<GenerationResult>> rows = new ArrayList<>();
    int size = random.nextInt(200);
    for (int row = 0; row < size; row++) {
      rows.add(random.nextInt(5) == 0 ? Optional.empty() : Optional.of(result(random)));
    }
    ResultBatch batch =
        ResultBatch.of(rows.stream().map(row -> row.stream().toList()).toList(), parent);
    assertThat(batch.rows()).isEqualTo(size);
    assertThat(batch.errorRows().boxed().toList())
        .isEqualTo(
            IntStream.range(0, size)
                .filter(row -> rows.get(row).flatMap(GenerationResult::error).isPresent())
                .boxed()
                .toList());
    assertThat(Batches.readAndClose(batch)).isEqualTo(rows);
  }

  @Test
  void hasTheFieldsThatItsRowsNeed() {
    GenerationResult text =
        new GenerationResult("a", Optional.empty(), FinishReason.STOP, 3, 2, 1, Optional.empty());
    GenerationResult thought =
        new GenerationResult("a", Optional.of("b"), FinishReason.STOP, 3, 2, 1, Optional.empty());
    GenerationResult error =
        GenerationResult.refused(new GenerationError(ErrorCode.EMPTY_PROMPT, "empty"));
    List<String> always =
        List.of("text", "finish_reason", "prompt_tokens", "cached_tokens", "output_tokens");
    assertThat(fields(List.of(text), List.of())).isEqualTo(always);
    assertThat(fields(List.of(text), List.of(thought)))
        .containsAll(always)
        .contains("reasoning")
        .hasSize(6);
    assertThat(fields(List.of(error), List.of(text)))
        .containsAll(always)
        .contains("error")
        .hasSize(6);
  }

  @SafeVarargs
  private List<String> fields(List<GenerationResult>... rows) {
    try (ResultBatch batch = ResultBatch.of(List.of(rows), parent)) {
      return batch.column().getChildFieldNames();
    }
  }

  @Test
  void holdsTheVariantsOfARow() {
    GenerationResult first =
        new GenerationResult("a", Optional.empty(), FinishReason.STOP, 3, 2, 1, Optional.empty());
    GenerationResult second =
        new GenerationResult("ä", Optional.empty(), FinishReason.LENGTH, 3, 3, 5, Optional.empty());
    GenerationResult error =
        new GenerationResult(
            "",
            Optional.empty(),
            FinishReason.ERROR,
            3,
            3,
            4,
            Optional.of(new GenerationError(ErrorCode.COMPUTE_ERROR, "memory")));
    try (ResultBatch batch =
        ResultBatch.of(
            List.of(List.of(first, second), List.of(first), List.of(), List.of(first, error)),
            parent)) {
      assertThat(Batches.list(batch, 0, "texts")).containsExactly("a", "ä");
      assertThat(Batches.list(batch, 0, "finish_reasons")).containsExactly("stop", "length");
      assertThat(batch.outputTokens(0)).isEqualTo(6);
      assertThat(batch.promptTokens(0)).isEqualTo(3);
      assertThat(batch.cachedTokens(0)).isEqualTo(2);
      assertThat(batch.column().getObject(0).get("text")).hasToString("a");
      assertThat(batch.column().getObject(1).get("texts")).isNull();
      assertThat(batch.isNull(2)).isTrue();
      assertThat(batch.errorRows()).containsExactly(3);
      assertThat(batch.error(3)).isEqualTo(error.error());
      assertThat(batch.outputTokens(3)).isEqualTo(5);
      assertThat(batch.column().getObject(3).get("texts")).isNull();
    }
  }

  @Test
  void holdsLogProbabilities() {
    TokenLogprobs.Candidate a = new TokenLogprobs.Candidate(1, "a", -0.5f);
    TokenLogprobs.Candidate b = new TokenLogprobs.Candidate(2, "ä", -1.5f);
    List<TokenLogprobs> tokens =
        List.of(new TokenLogprobs(a, List.of(a, b)), new TokenLogprobs(b, List.of()));
    GenerationResult without =
        new GenerationResult("a", Optional.empty(), FinishReason.STOP, 3, 2, 1, Optional.empty());
    GenerationResult with =
        new GenerationResult(
            "aä",
            Optional.empty(),
            FinishReason.STOP,
            3,
            2,
            2,
            Optional.of(tokens),
            Optional.empty());
    try (ResultBatch batch =
        ResultBatch.of(
            List.of(List.of(with), List.of(without), List.of(), List.of(with, without)), parent)) {
      String first = "{\"id\":1,\"token\":\"a\",\"logprob\":-0.5";
      String second = "{\"id\":2,\"token\":\"ä\",\"logprob\":-1.5";
      String written =
          "["
              + first
              + ",\"top_logprobs\":["
              + first
              + "},"
              + second
              + "}]},"
              + second
              + ",\"top_logprobs\":[]}]";
      assertThat(batch.column().getObject(0).get("logprobs")).hasToString(written);
      assertThat(batch.column().getObject(1).get("logprobs")).isNull();
      assertThat(batch.isNull(2)).isTrue();
      assertThat(batch.column().getObject(3).get("logprobs")).hasToString(written);
    }
  }

  @Test
  void makesRowsNull() {
    GenerationResult error =
        GenerationResult.refused(new GenerationError(ErrorCode.EMPTY_PROMPT, "empty"));
    GenerationResult text =
        new GenerationResult(
            "text", Optional.of("why"), FinishReason.STOP, 3, 2, 1, Optional.empty());
    try (ResultBatch batch =
        ResultBatch.of(List.of(List.of(error), List.of(text), List.of()), parent)) {
      assertThat(batch.errorRows()).containsExactly(0);
      assertThat(batch.error(0)).isEqualTo(error.error());
      assertThat(batch.error(1)).isEmpty();
      batch.setNull(0);
      assertThat(batch.errorRows()).isEmpty();
      assertThat(batch.isNull(0)).isTrue();
      assertThat(batch.isNull(1)).isFalse();
      assertThat(batch.isNull(2)).isTrue();
    }
  }

  @Test
  void leavesNothingBehindWhereMemoryIsShort() {
    GenerationResult large =
        new GenerationResult(
            "x".repeat(1 << 20), Optional.empty(), FinishReason.STOP, 1, 0, 1, Optional.empty());
    assertThatThrownBy(() -> ResultBatch.of(List.of(List.of(large)), parent))
        .isInstanceOf(OutOfMemoryException.class);
    assertThat(parent.getAllocatedMemory()).isZero();
  }
}
