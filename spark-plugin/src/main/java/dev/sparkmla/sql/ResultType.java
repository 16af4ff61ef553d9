package dev.sparkmla.sql;

import java.io.Serializable;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Which fields the results of a call have. Those of {@link #ALWAYS} come first, then the lists
 * {@code texts} and {@code finish_reasons} where the call's constant arguments ask for several
 * variants.
 *
 * @param variants how many a row has
 */
public record ResultType(int variants) implements Serializable {
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

  private static final DataType TEXTS = DataTypes.createArrayType(DataTypes.StringType, true);

  /** Where the text stands in a result. */
  static final int TEXT_ORDINAL = 0;

  /** Whether a row has more than one variant, and so fields for all of them. */
  boolean hasVariants() {
    return variants > 1;
  }

  /** The type of a result. */
  StructType struct() {
    StructType struct = ALWAYS;
    if (hasVariants()) {
      struct = struct.add("texts", TEXTS, true).add("finish_reasons", TEXTS, true);
    }
    return struct;
  }
}
