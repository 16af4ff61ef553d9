package dev.sparkmla.arrow;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.vector.Float4Vector;
import org.apache.arrow.vector.IntVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.complex.ListVector;
import org.apache.arrow.vector.complex.StructVector;
import org.apache.arrow.vector.types.FloatingPointPrecision;
import org.apache.arrow.vector.types.pojo.ArrowType;
import org.apache.arrow.vector.types.pojo.Field;
import org.apache.arrow.vector.types.pojo.FieldType;

/**
 * Results of rows of one request batch, of all or of some of them, as one Arrow column with the
 * rows' numbers beside it: {@code struct<text: utf8, finish_reason: utf8, prompt_tokens: int32,
 * cached_tokens: int32, output_tokens: int32>}. A row whose prompt is NULL is NULL; the text of a
 * row in error is NULL.
 *
 * <p>The struct has further fields, each only where a row of the batch needs it, because each takes
 * time to make: {@code reasoning: utf8}, NULL for a row without thoughts, and {@code error:
 * struct<code: utf8, message: utf8>}, NULL for a row that is not in error.
 *
 * <p>Where a row of the batch has several variants, the struct has the two fields {@code texts:
 * list<utf8>} and {@code finish_reasons: list<utf8>}, which hold those of all variants of such a
 * row, and are NULL for another and for a row in error. The other fields are the first variant's,
 * but for {@code output_tokens}, which are those of all. A row is in error where one of its
 * variants is.
 *
 * <p>Where a result of the batch has log probabilities, the struct has one more field, {@code
 * logprobs: list<struct<id: int32, token: utf8, logprob: float32, top_logprobs: list<struct<id:
 * int32, token: utf8, logprob: float32>>>>}, the first variant's, an element for each of its
 * tokens.
 *
 * <p><b>Ownership.</b> A batch owns its column and the allocator that holds it, and frees both when
 * it is closed. It has one owner at a time, who closes it or hands it over.
 *
 * <p>Not thread-safe: a thread that takes it over has to see what the one before has done.
 */
public final class ResultBatch implements AutoCloseable {
  private static final Map<FinishReason, byte[]> SPELLINGS = new EnumMap<>(FinishReason.class);

  /** Of rows that have a text and nothing else. */
  private static final Field USUAL_LAYOUT =
      result(
          utf8("text"),
          utf8("finish_reason"),
          int32("prompt_tokens"),
          int32("cached_tokens"),
          int32("output_tokens"));

  static {
    for (FinishReason reason : FinishReason.values()) {
      SPELLINGS.put(
          reason, reason.name().toLowerCase(Locale.ROOT).getBytes(StandardCharsets.UTF_8));
    }
  }

  private int[] numbers;
  private final BufferAllocator allocator;
  private final StructVector results;
  private final VarCharVector texts;
  private final VarCharVector finishReasons;
  private final IntVector promptTokens;
  private final IntVector cachedTokens;
  private final IntVector outputTokens;
  private final Optional<VarCharVector> reasonings;
  private final Optional<StructVector> errors;
  private final Optional<ListVector> variantTexts;
  private final Optional<ListVector> variantReasons;
  private final Optional<ListVector> logprobs;

  private ResultBatch(int[] numbers, Field layout, BufferAllocator allocator) {
    this.numbers = numbers;
    this.allocator = allocator;
    this.results = (StructVector) layout.createVector(allocator);
    this.texts = results.getChild("text", VarCharVector.class);
    this.finishReasons = results.getChild("finish_reason", VarCharVector.class);
    this.promptTokens = results.getChild("prompt_tokens", IntVector.class);
    this.cachedTokens = results.getChild("cached_tokens", IntVector.class);
    this.outputTokens = results.getChild("output_tokens", IntVector.class);
    this.reasonings = Optional.ofNullable(results.getChild("reasoning", VarCharVector.class));
    this.errors = Optional.ofNullable(results.getChild("error", StructVector.class));
    this.variantTexts = Optional.ofNullable(results.getChild("texts", ListVector.class));
    this.variantReasons = Optional.ofNullable(results.getChild("finish_reasons", ListVector.class));
    this.logprobs = Optional.ofNullable(results.getChild("logprobs", ListVector.class));
  }

  /**
   * Writes the results of all rows of a request batch: {@link #of(int[], List, BufferAllocator)}
   * with the numbers from 0.
   */
  public static ResultBatch of(List<List<GenerationResult>> rows, BufferAllocator parent) {
    return of(IntStream.range(0, rows.size()).toArray(), rows, parent);
  }

  /**
   * Writes a batch, which the caller owns.
   *
   * @param numbers which rows of the request batch they are of, ascending
   * @param rows the results in that order: one for each variant of a row, none for NULL
   * @param parent the allocator under which the batch gets one of its own
   * @throws org.apache.arrow.memory.OutOfMemoryException when {@code parent} has too little left;
   *     nothing is allocated then
   */
  public static ResultBatch of(
      int[] numbers, List<List<GenerationResult>> rows, BufferAllocator parent) {
    ResultBatch batch =
        new ResultBatch(
            numbers.clone(), layout(rows), parent.newChildAllocator("results", 0, Long.MAX_VALUE));
    try {
      batch.write(rows);
      return batch;
    } catch (RuntimeException | Error problem) {
      batch.close();
      throw problem;
    }
  }

  private void write(List<List<GenerationResult>> rows) {
    long characters = 0;
    for (List<GenerationResult> row : rows) {
      characters += row.isEmpty() ? 0 : row.get(0).text().length();
    }
    results.setInitialCapacity(rows.size());
    texts.setInitialCapacity(rows.size(), Math.max(1, (double) characters / rows.size()));
    results.allocateNew();
    for (int row = 0; row < rows.size(); row++) {
      if (rows.get(row).isEmpty()) {
        results.setNull(row);
      } else {
        write(row, rows.get(row));
      }
    }
    results.setValueCount(rows.size());
  }

  private void write(int row, List<GenerationResult> variants) {
    GenerationResult result = variants.get(0);
    int generated = 0;
    for (GenerationResult variant : variants) {
      generated += variant.outputTokens();
      if (result.error().isEmpty() && variant.error().isPresent()) {
        result = variant;
      }
    }
    results.setIndexDefined(row);
    finishReasons.setSafe(row, SPELLINGS.get(result.finishReason()));
    promptTokens.setSafe(row, result.promptTokens());
    cachedTokens.setSafe(row, variants.get(0).cachedTokens());
    outputTokens.setSafe(row, generated);
    if (result.error().isPresent()) {
      GenerationError error = result.error().get();
      errors.orElseThrow().setIndexDefined(row);
      set(codes(), row, error.code().name());
      set(messages(), row, error.message());
    } else {
      set(texts, row, result.text());
      if (variants.size() > 1) {
        writeList(variantTexts.orElseThrow(), row, variants, variant -> bytes(variant.text()));
        writeList(
            variantReasons.orElseThrow(),
            row,
            variants,
            variant -> SPELLINGS.get(variant.finishReason()));
      }
    }
    if (result.reasoning().isPresent()) {
      set(reasonings.orElseThrow(), row, result.reasoning().get());
    }
    if (result.logprobs().isPresent()) {
      writeLogprobs(row, result.logprobs().get());
    }
  }

  private VarCharVector codes() {
    return errors.orElseThrow().getChild("code", VarCharVector.class);
  }

  private VarCharVector messages() {
    return errors.orElseThrow().getChild("message", VarCharVector.class);
  }

  private void writeLogprobs(int row, List<TokenLogprobs> tokens) {
    ListVector vector = logprobs.orElseThrow();
    StructVector elements = (StructVector) vector.getDataVector();
    ListVector likeliest = elements.getChild("top_logprobs", ListVector.class);
    StructVector candidates = (StructVector) likeliest.getDataVector();
    int first = vector.startNewValue(row);
    for (int i = 0; i < tokens.size(); i++) {
      TokenLogprobs token = tokens.get(i);
      write(elements, first + i, token.chosen());
      int top = likeliest.startNewValue(first + i);
      for (int k = 0; k < token.likeliest().size(); k++) {
        write(candidates, top + k, token.likeliest().get(k));
      }
      likeliest.endValue(first + i, token.likeliest().size());
    }
    vector.endValue(row, tokens.size());
  }

  private static void write(StructVector vector, int index, TokenLogprobs.Candidate candidate) {
    vector.setIndexDefined(index);
    vector.getChild("id", IntVector.class).setSafe(index, candidate.id());
    set(vector.getChild("token", VarCharVector.class), index, candidate.text());
    vector.getChild("logprob", Float4Vector.class).setSafe(index, candidate.logprob());
  }

  private static void writeList(
      ListVector vector,
      int row,
      List<GenerationResult> variants,
      Function<GenerationResult, byte[]> field) {
    VarCharVector elements = (VarCharVector) vector.getDataVector();
    int first = vector.startNewValue(row);
    for (int variant = 0; variant < variants.size(); variant++) {
      elements.setSafe(first + variant, field.apply(variants.get(variant)));
    }
    vector.endValue(row, variants.size());
  }

  private static void set(VarCharVector vector, int row, String text) {
    vector.setSafe(row, bytes(text));
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /** Rows of the batch. */
  public int rows() {
    return results.getValueCount();
  }

  /** Which row of the request batch a row is the result of; ascending. */
  public int number(int row) {
    return numbers[row];
  }

  /**
   * Makes these the results of other rows: of {@code rows[n]} instead of {@code n}.
   *
   * @param rows ascending
   */
  public void renumber(int[] rows) {
    numbers = Arrays.stream(numbers).map(number -> rows[number]).toArray();
  }

  /** The column. It is the batch's: who reads it must not close it. */
  public StructVector column() {
    return results;
  }

  /** Whether a row is NULL: its prompt was, or {@link #setNull} made it so. */
  public boolean isNull(int row) {
    return results.isNull(row);
  }

  /** Makes a row NULL. */
  public void setNull(int row) {
    results.setNull(row);
  }

  /** Tokens of a row's prompt, as in {@link GenerationResult#promptTokens}; the row is not NULL. */
  public int promptTokens(int row) {
    return promptTokens.get(row);
  }

  /** How many of them were found in the cache; the row is not NULL. */
  public int cachedTokens(int row) {
    return cachedTokens.get(row);
  }

  /** Tokens generated for all variants of a row that is not NULL. */
  public int outputTokens(int row) {
    return outputTokens.get(row);
  }

  /** The rows that are in error, in order. */
  public IntStream errorRows() {
    return errors
        .map(
            vector ->
                IntStream.range(0, rows())
                    .filter(row -> !vector.isNull(row) && !results.isNull(row)))
        .orElseGet(IntStream::empty);
  }

  /** Why a row that is not NULL has no text; empty where it has one. */
  public Optional<GenerationError> error(int row) {
    return errors.isEmpty() || errors.get().isNull(row)
        ? Optional.empty()
        : Optional.of(
            new GenerationError(ErrorCode.valueOf(text(codes(), row)), text(messages(), row)));
  }

  private static String text(VarCharVector vector, int row) {
    return new String(vector.get(row), StandardCharsets.UTF_8);
  }

  /** Frees the column and the allocator. */
  @Override
  public void close() {
    results.close();
    allocator.close();
  }

  /** The struct that has what the rows do. */
  private static Field layout(List<List<GenerationResult>> rows) {
    boolean hasReasoning = false;
    boolean hasErrors = false;
    boolean hasVariants = false;
    boolean hasLogprobs = false;
    for (List<GenerationResult> row : rows) {
      hasVariants |= row.size() > 1;
      for (GenerationResult variant : row) {
        hasReasoning |= variant.reasoning().isPresent();
        hasErrors |= variant.error().isPresent();
        hasLogprobs |= variant.logprobs().isPresent();
      }
    }
    if (!hasReasoning && !hasErrors && !hasVariants && !hasLogprobs) {
      return USUAL_LAYOUT;
    }
    List<Field> fields = new ArrayList<>(USUAL_LAYOUT.getChildren());
    if (hasReasoning) {
      fields.add(utf8("reasoning"));
    }
    if (hasErrors) {
      fields.add(nullable("error", new ArrowType.Struct(), utf8("code"), utf8("message")));
    }
    if (hasVariants) {
      fields.add(list("texts", utf8("element")));
      fields.add(list("finish_reasons", utf8("element")));
    }
    if (hasLogprobs) {
      Field likeliest =
          list("top_logprobs", nullable("element", new ArrowType.Struct(), candidate()));
      Field[] token =
          Stream.concat(Arrays.stream(candidate()), Stream.of(likeliest)).toArray(Field[]::new);
      fields.add(list("logprobs", nullable("element", new ArrowType.Struct(), token)));
    }
    return result(fields.toArray(Field[]::new));
  }

  private static Field result(Field... fields) {
    return nullable("result", new ArrowType.Struct(), fields);
  }

  private static Field list(String name, Field element) {
    return nullable(name, new ArrowType.List(), element);
  }

  private static Field[] candidate() {
    ArrowType single = new ArrowType.FloatingPoint(FloatingPointPrecision.SINGLE);
    return new Field[] {int32("id"), utf8("token"), nullable("logprob", single)};
  }

  private static Field utf8(String name) {
    return nullable(name, new ArrowType.Utf8());
  }

  private static Field int32(String name) {
    return nullable(name, new ArrowType.Int(32, true));
  }

  private static Field nullable(String name, ArrowType type, Field... children) {
    return new Field(name, FieldType.nullable(type), List.of(children));
  }
}
