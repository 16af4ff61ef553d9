package dev.sparkmla.sql;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.catalyst.expressions.CreateMap;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.util.MapData;

/**
 * Finds the entries of a call's {@code params} that are known when the query is analysed: all
 * entries of a constant map, and the first one of {@code map('max_tokens', 8, 'seed', id)}.
 */
final class ConstantParams {
  private ConstantParams() {}

  /**
   * @param params a map from texts to texts or numbers
   * @return the constant values by name, without those that are NULL
   */
  static Map<String, String> of(Expression params) {
    Map<String, String> named = new LinkedHashMap<>();
    Expression constant = params instanceof CreateMap map ? constantPart(map) : params;
    MapData entries =
        constant.foldable() ? (MapData) CallArguments.asTexts(constant).eval(null) : null;
    if (entries != null) {
      for (int i = 0; i < entries.numElements(); i++) {
        if (!entries.valueArray().isNullAt(i)) {
          named.put(
              entries.keyArray().getUTF8String(i).toString(),
              entries.valueArray().getUTF8String(i).toString());
        }
      }
    }
    return named;
  }

  private static CreateMap constantPart(CreateMap map) {
    List<Expression> keysAndValues = Catalyst.list(map.children());
    List<Expression> constant = new ArrayList<>();
    for (int i = 0; i < keysAndValues.size(); i += 2) {
      List<Expression> entry = keysAndValues.subList(i, i + 2);
      if (entry.stream().allMatch(Expression::foldable)) {
        constant.addAll(entry);
      }
    }
    return new CreateMap(Catalyst.seq(constant), true);
  }

  /** Whether a map gives a name a value that may differ from row to row. */
  static boolean vary(Expression params, String name) {
    if (!(params instanceof CreateMap map)) {
      return false;
    }
    List<Expression> keys = Catalyst.list(map.keys());
    List<Expression> values = Catalyst.list(map.values());
    for (int i = 0; i < keys.size(); i++) {
      if (keys.get(i).foldable()
          && name.equals(String.valueOf(keys.get(i).eval(null)))
          && !values.get(i).foldable()) {
        return true;
      }
    }
    return false;
  }
}
