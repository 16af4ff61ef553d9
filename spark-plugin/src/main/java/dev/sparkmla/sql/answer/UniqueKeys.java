package dev.sparkmla.sql.answer;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.util.ArrayBasedMapData;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.catalyst.util.GenericArrayData;
import org.apache.spark.sql.catalyst.util.MapData;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * Makes maps of values have each key once, with the last of its values: a JSON text may name one
 * twice, and Spark's reader then hands out a map that no other function expects. Thread-safe.
 */
interface UniqueKeys {
  /** The values of a type without maps. */
  UniqueKeys SAME = value -> value;

  /**
   * The same value, in whose maps no key is twice.
   *
   * @param value as Spark holds it, or null
   */
  Object of(Object value);

  /** For values of a type. */
  static UniqueKeys in(DataType type) {
    if (!type.existsRecursively(part -> part instanceof MapType)) {
      return SAME;
    }
    if (type instanceof MapType map) {
      UniqueKeys values = in(map.valueType());
      return value -> value == null ? null : map((MapData) value, map, values);
    }
    if (type instanceof ArrayType array) {
      UniqueKeys elements = in(array.elementType());
      return value -> value == null ? null : array((ArrayData) value, array, elements);
    }
    StructType struct = (StructType) type;
    List<UniqueKeys> fields =
        Stream.of(struct.fields()).map(StructField::dataType).map(UniqueKeys::in).toList();
    return value -> value == null ? null : struct((InternalRow) value, struct, fields);
  }

  private static Object map(MapData map, MapType type, UniqueKeys values) {
    Object[] keys = map.keyArray().toObjectArray(type.keyType());
    Object[] all = map.valueArray().toObjectArray(type.valueType());
    Map<Object, Object> last = new LinkedHashMap<>();
    for (int i = 0; i < keys.length; i++) {
      last.put(keys[i], values.of(all[i]));
    }
    return new ArrayBasedMapData(
        new GenericArrayData(last.keySet().toArray()),
        new GenericArrayData(last.values().toArray()));
  }

  private static Object array(ArrayData array, ArrayType type, UniqueKeys elements) {
    Object[] all = array.toObjectArray(type.elementType());
    return new GenericArrayData(Arrays.stream(all).map(elements::of).toArray());
  }

  private static Object struct(InternalRow row, StructType type, List<UniqueKeys> fields) {
    Object[] all = new Object[fields.size()];
    for (int i = 0; i < all.length; i++) {
      all[i] = fields.get(i).of(row.get(i, type.apply(i).dataType()));
    }
    return new GenericInternalRow(all);
  }
}
