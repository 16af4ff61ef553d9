package dev.sparkmla.sql;

import dev.sparkmla.sql.answer.AnswerFormat;
import java.io.Serializable;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Which fields the results of a call have. Those of {@link #ALWAYS} come first, then those that the
 * call's constant arguments ask for:
 *
 * <ol>
 *   <li>{@code value}, where the answers have a format;
 *   <li>{@code texts}, and {@code values} where there is a value, and {@code finish_reasons}, a
 *       list each, where there are several variants;
 *   <li>{@code logprobs} of the first variant's tokens, where they are asked for.
 * </ol>
 *
 * @param answer the form of the answers
 * @param variants how many a row has
 * @param hasLogprobs whether log probabilities are asked for
 */
public record ResultType(AnswerFormat answer, int variants, boolean hasLogprobs)
    implements Serializable {
  /** {@code STRUCT<code STRING, message STRING>}. */
  static final StructType ERROR =
      new StructType()
          .add("code", DataTypes.StringType, true)
          .add("message", DataTypes.StringType, true);

  /** The fields that every result has. */
  static final StructType ALWAYS =
      new StructType()
          .add("text", DataTypes.StringType, true)
          .add("reasoning", DataTypes.StringType, true)
          .add("finish_reason", DataTypes.StringType, true)
          .add("prompt_tokens", DataTypes.IntegerType, true)
          .add("cached_tokens", DataTypes.IntegerType, true)
          .add("output_tokens", DataTypes.IntegerType, true)
          .add("error", ERROR, true);

  private static final StructType CANDIDATE =
      new StructType()
          .add("id", DataTypes.IntegerType, true)
          .add("token", DataTypes.StringType, true)
          .add("logprob", DataTypes.FloatType, true);

  private static final StructType TOKEN_LOGPROBS =
      CANDIDATE.add("top_logprobs", list(CANDIDATE), true);

  /** Where the text stands in a result. */
  static final int TEXT_ORDINAL = 0;

  /** Whether a row has more than one variant, and so fields for all of them. */
  boolean hasVariants() {
    return variants > 1;
  }

  /** The type of a result. */
  StructType struct() {
    StructType struct = ALWAYS;
    if (answer.type().isPresent()) {
      struct = struct.add("value", answer.type().get(), true);
    }
    if (hasVariants()) {
      struct = struct.add("texts", list(DataTypes.StringType), true);
      if (answer.type().isPresent()) {
        struct = struct.add("values", list(answer.type().get()), true);
      }
      struct = struct.add("finish_reasons", list(DataTypes.StringType), true);
    }
    if (hasLogprobs) {
      struct = struct.add("logprobs", list(TOKEN_LOGPROBS), true);
    }
    return struct;
  }

  private static DataType list(DataType element) {
    return DataTypes.createArrayType(element, true);
  }
}
