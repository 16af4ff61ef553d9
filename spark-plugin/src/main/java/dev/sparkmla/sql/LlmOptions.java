package dev.sparkmla.sql;

import dev.sparkmla.arrow.OverflowPolicy;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;

/**
 * The options of a call on a DataFrame. Start with {@link #defaults} and change what differs.
 * Immutable.
 *
 * @param params generation parameters by name, as in SQL: STRING
 * @param system the system message
 * @param onError what becomes of a row in error
 * @param onOverflow what becomes of a prompt that is too long
 * @param responseFormat the form of the answers, as in SQL
 */
public record LlmOptions(
    Map<String, Column> params,
    Optional<Column> system,
    OnError onError,
    OverflowPolicy onOverflow,
    Optional<String> responseFormat) {
  /**
   * Copies the map.
   *
   * @param params generation parameters by name, as in SQL: STRING
   * @param system the system message
   * @param onError what becomes of a row in error
   * @param onOverflow what becomes of a prompt that is too long
   * @param responseFormat the form of the answers, as in SQL
   */
  public LlmOptions {
    params = Map.copyOf(params);
  }

  /**
   * The options of a call without any.
   *
   * @return no parameters, no system message and answers of any form; errors in the row, of long
   *     prompts too
   */
  public static LlmOptions defaults() {
    return new LlmOptions(
        Map.of(), Optional.empty(), OnError.ROW, OverflowPolicy.ERROR, Optional.empty());
  }

  /**
   * These options with one more generation parameter, or with another value of it.
   *
   * @param name one of {@link dev.sparkmla.engine.GenerationParameters}; another is an error of the
   *     query's analysis
   * @param value its value; what its text says counts
   * @return a copy
   */
  public LlmOptions withParam(String name, Object value) {
    return withParam(name, functions.lit(String.valueOf(value)));
  }

  /**
   * With one more generation parameter, or another value of it, that may differ from row to row.
   *
   * @param name as above
   * @param value STRING or a number; a row whose value is NULL does not name the parameter
   * @return a copy
   */
  public LlmOptions withParam(String name, Column value) {
    Map<String, Column> more = new LinkedHashMap<>(params);
    more.put(name, value.cast(DataTypes.StringType));
    return new LlmOptions(more, system, onError, onOverflow, responseFormat);
  }

  /**
   * These options with a system message.
   *
   * @param message the same for all rows
   * @return a copy
   */
  public LlmOptions withSystem(String message) {
    return withSystem(functions.lit(message));
  }

  /**
   * These options with a system message for each row.
   *
   * @param message STRING; a row whose message is NULL has none
   * @return a copy
   */
  public LlmOptions withSystem(Column message) {
    return new LlmOptions(params, Optional.of(message), onError, onOverflow, responseFormat);
  }

  /**
   * These options with another treatment of rows in error.
   *
   * @param treatment what becomes of them
   * @return a copy
   */
  public LlmOptions withOnError(OnError treatment) {
    return new LlmOptions(params, system, treatment, onOverflow, responseFormat);
  }

  /**
   * These options with another treatment of prompts that are too long.
   *
   * @param policy what becomes of them
   * @return a copy
   */
  public LlmOptions withOnOverflow(OverflowPolicy policy) {
    return new LlmOptions(params, system, onError, policy, responseFormat);
  }

  /**
   * With answers of a form, which a field {@code value} of the result holds typed.
   *
   * @param format a Spark DDL type, a JSON schema, {@code regex: ...}, {@code choice: [...]} or
   *     {@code json}
   * @return a copy
   */
  public LlmOptions withResponseFormat(String format) {
    return new LlmOptions(params, system, onError, onOverflow, Optional.of(format));
  }

  /**
   * With answers of a type, which a field {@code value} of the result has.
   *
   * @param type of values; docs/sql.md lists those that there can be
   * @return a copy
   */
  public LlmOptions withResponseFormat(DataType type) {
    return withResponseFormat(type.sql());
  }
}
