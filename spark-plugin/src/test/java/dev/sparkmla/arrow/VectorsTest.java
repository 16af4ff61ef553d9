package dev.sparkmla.arrow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.engine.ErrorCode;
import dev.sparkmla.engine.FinishReason;
import dev.sparkmla.engine.GenerationError;
import dev.sparkmla.engine.GenerationRequest;
import dev.sparkmla.engine.GenerationResult;
import dev.sparkmla.engine.OverflowPolicy;
import dev.sparkmla.engine.Prompt;
import dev.sparkmla.text.Message;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.IntVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.complex.ListVector;
import org.apache.arrow.vector.complex.MapVector;
import org.apache.arrow.vector.complex.StructVector;
import org.apache.arrow.vector.complex.impl.UnionListWriter;
import org.apache.arrow.vector.complex.impl.UnionMapWriter;
import org.apache.arrow.vector.types.pojo.ArrowType;
import org.apache.arrow.vector.types.pojo.Field;
import org.apache.arrow.vector.types.pojo.FieldType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VectorsTest {
  private final RootAllocator allocator = new RootAllocator();

  @AfterEach
  void nothingIsLeft() {
    allocator.close();
  }

  @Test
  void readsRequests() {
    try (VarCharVector prompts = texts("prompt", "one", null, "ünï \uD83D\uDE00", "");
        MapVector params = params(Map.of("seed", "7"), Map.of(), Map.of(), null);
        VarCharVector systems = texts("system", "s", "t", null, null)) {
      RequestVectors vectors =
          new RequestVectors(prompts, params, systems, OverflowPolicy.TRUNCATE_LEFT);
      assertThat(vectors.read(0))
          .isEqualTo(asked(new Prompt.Raw("one"), Optional.of("s"), Map.of("seed", "7")));
      assertThat(vectors.read(1)).isEqualTo(new RequestVectors.Absent());
      assertThat(vectors.read(2))
          .isEqualTo(asked(new Prompt.Raw("ünï \uD83D\uDE00"), Optional.empty(), Map.of()));
      assertThat(vectors.read(3)).isEqualTo(asked(new Prompt.Raw(""), Optional.empty(), Map.of()));
    }
  }

  @Test
  void replacesBytesThatAreNoText() {
    try (VarCharVector prompts = texts("prompt", "?");
        MapVector params = params(Map.of());
        VarCharVector systems = texts("system", (String) null)) {
      prompts.setSafe(0, new byte[] {'a', (byte) 0xff, 'b'});
      assertThat(new RequestVectors(prompts, params, systems, OverflowPolicy.TRUNCATE_LEFT).read(0))
          .isEqualTo(asked(new Prompt.Raw("a\uFFFDb"), Optional.empty(), Map.of()));
    }
  }

  @Test
  void readsConversations() {
    try (ListVector prompts =
            conversations(
                List.of(new Message("user", "a"), new Message("assistant", "b")),
                List.of(),
                null,
                List.of(new Message("user", null)));
        MapVector params = params(Map.of(), Map.of(), Map.of(), Map.of());
        VarCharVector systems = texts("system", null, null, null, null)) {
      RequestVectors vectors =
          new RequestVectors(prompts, params, systems, OverflowPolicy.TRUNCATE_LEFT);
      assertThat(vectors.read(0))
          .isEqualTo(
              asked(
                  new Prompt.Chat(List.of(new Message("user", "a"), new Message("assistant", "b"))),
                  Optional.empty(),
                  Map.of()));
      assertThat(vectors.read(1))
          .isEqualTo(asked(new Prompt.Chat(List.of()), Optional.empty(), Map.of()));
      assertThat(vectors.read(2)).isEqualTo(new RequestVectors.Absent());
      assertThat(vectors.read(3))
          .isEqualTo(
              new RequestVectors.Refused(
                  new GenerationError(
                      ErrorCode.INVALID_PROMPT,
                      "a message of the conversation is NULL, or its role or content is")));
    }
  }

  @Test
  void refusesPromptsThatAreNeither() {
    try (IntVector prompts = new IntVector("prompt", allocator);
        MapVector params = params();
        VarCharVector systems = texts("system")) {
      assertThatThrownBy(() -> new RequestVectors(prompts, params, systems, OverflowPolicy.ERROR))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("not prompt: Int(32, true)");
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5})
  void holdsOneBatchAfterTheOther(int seed) {
    Random random = new Random(seed);
    try (ResultVectors results = new ResultVectors(allocator)) {
      for (int batch = 0; batch < 10; batch++) {
        List<Optional<GenerationResult>> rows = new ArrayList<>();
        int size = random.nextInt(200);
        for (int row = 0; row < size; row++) {
          rows.add(random.nextInt(5) == 0 ? Optional.empty() : Optional.of(result(random)));
        }
        results.write(rows);
        assertThat(results.vector().getValueCount()).isEqualTo(size);
        for (int row = 0; row < size; row++) {
          assertThat(read(results.vector(), row)).isEqualTo(rows.get(row));
        }
      }
    }
  }

  private static GenerationResult result(Random random) {
    String words = "ä".repeat(random.nextInt(50));
    return random.nextInt(4) == 0
        ? new GenerationResult(
            "",
            FinishReason.ERROR,
            random.nextInt(9),
            0,
            0,
            Optional.of(new GenerationError(ErrorCode.PROMPT_TOO_LONG, words)))
        : new GenerationResult(
            words,
            random.nextBoolean() ? FinishReason.STOP : FinishReason.LENGTH,
            random.nextInt(),
            random.nextInt(),
            random.nextInt(),
            Optional.empty());
  }

  private static Optional<GenerationResult> read(StructVector results, int row) {
    if (results.isNull(row)) {
      return Optional.empty();
    }
    Map<String, ?> fields = results.getObject(row);
    Map<?, ?> error = (Map<?, ?>) fields.get("error");
    assertThat(fields.get("text") == null).isEqualTo(error != null);
    return Optional.of(
        new GenerationResult(
            fields.get("text") == null ? "" : fields.get("text").toString(),
            FinishReason.valueOf(fields.get("finish_reason").toString().toUpperCase()),
            (Integer) fields.get("prompt_tokens"),
            (Integer) fields.get("cached_tokens"),
            (Integer) fields.get("output_tokens"),
            Optional.ofNullable(error)
                .map(
                    pair ->
                        new GenerationError(
                            ErrorCode.valueOf(pair.get("code").toString()),
                            pair.get("message").toString()))));
  }

  private static RequestVectors.Asked asked(
      Prompt prompt, Optional<String> system, Map<String, String> params) {
    return new RequestVectors.Asked(
        new GenerationRequest(prompt, system, params, OverflowPolicy.TRUNCATE_LEFT));
  }

  private VarCharVector texts(String name, String... values) {
    VarCharVector vector = new VarCharVector(name, allocator);
    vector.allocateNew();
    for (int row = 0; row < values.length; row++) {
      if (values[row] != null) {
        vector.setSafe(row, values[row].getBytes(StandardCharsets.UTF_8));
      }
    }
    vector.setValueCount(values.length);
    return vector;
  }

  @SafeVarargs
  private MapVector params(Map<String, String>... rows) {
    Field entries =
        new Field(
            MapVector.DATA_VECTOR_NAME,
            FieldType.notNullable(new ArrowType.Struct()),
            List.of(
                new Field(MapVector.KEY_NAME, FieldType.notNullable(new ArrowType.Utf8()), null),
                new Field(MapVector.VALUE_NAME, FieldType.nullable(new ArrowType.Utf8()), null)));
    Field field =
        new Field("params", FieldType.nullable(new ArrowType.Map(false)), List.of(entries));
    MapVector vector = (MapVector) field.createVector(allocator);
    UnionMapWriter writer = vector.getWriter();
    for (int row = 0; row < rows.length; row++) {
      writer.setPosition(row);
      if (rows[row] == null) {
        writer.writeNull();
        continue;
      }
      writer.startMap();
      rows[row].forEach(
          (name, value) -> {
            writer.startEntry();
            writer.key().varChar().writeVarChar(name);
            writer.value().varChar().writeVarChar(value);
            writer.endEntry();
          });
      writer.endMap();
    }
    writer.setValueCount(rows.length);
    return vector;
  }

  @SafeVarargs
  private ListVector conversations(List<Message>... rows) {
    Field message =
        new Field(
            "element",
            FieldType.nullable(new ArrowType.Struct()),
            List.of(
                new Field("content", FieldType.nullable(new ArrowType.Utf8()), null),
                new Field("role", FieldType.nullable(new ArrowType.Utf8()), null)));
    Field field = new Field("prompt", FieldType.nullable(new ArrowType.List()), List.of(message));
    ListVector vector = (ListVector) field.createVector(allocator);
    UnionListWriter writer = vector.getWriter();
    for (int row = 0; row < rows.length; row++) {
      writer.setPosition(row);
      if (rows[row] == null) {
        writer.writeNull();
        continue;
      }
      writer.startList();
      for (Message part : rows[row]) {
        writer.struct().start();
        writer.struct().varChar("role").writeVarChar(part.role());
        if (part.content() != null) {
          writer.struct().varChar("content").writeVarChar(part.content());
        }
        writer.struct().end();
      }
      writer.endList();
    }
    writer.setValueCount(rows.length);
    return vector;
  }
}
