package dev.sparkmla.sql;

import dev.sparkmla.engine.OverflowPolicy;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.functions;

/**
 * How a DataFrame's call generates. Start with {@link #defaults} and say what differs. Immutable.
 *
 * @param params generation parameters by name, as in SQL
 * @param system the system message
 * @param onError what becomes of a row in error
 * @param onOverflow what becomes of a prompt that is too long
 */
public record LlmOptions(
    Map<String, String> params,
    Optional<Column> system,
    OnError onError,
    OverflowPolicy onOverflow) {
  /** Copies the map. */
  public LlmOptions {
    params = Map.copyOf(params);
  }

  /** What holds where the call says nothing. */
  public static LlmOptions defaults() {
    return new LlmOptions(Map.of(), Optional.empty(), OnError.ROW, OverflowPolicy.ERROR);
  }

  /** With one more generation parameter: {@code max_tokens}, {@code temperature}, ... */
  public LlmOptions withParam(String name, Object value) {
    Map<String, String> more = new LinkedHashMap<>(params);
    more.put(name, String.valueOf(value));
    return new LlmOptions(more, system, onError, onOverflow);
  }

  /** With a system message. */
  public LlmOptions withSystem(String message) {
    return withSystem(functions.lit(message));
  }

  /** With a system message for each row. */
  public LlmOptions withSystem(Column message) {
    return new LlmOptions(params, Optional.of(message), onError, onOverflow);
  }

  /** With another fate of rows in error. */
  public LlmOptions withOnError(OnError fate) {
    return new LlmOptions(params, system, fate, onOverflow);
  }

  /** With another fate of prompts that are too long. */
  public LlmOptions withOnOverflow(OverflowPolicy policy) {
    return new LlmOptions(params, system, onError, policy);
  }
}
