package dev.sparkmla.sql;

import java.util.List;
import scala.Product;

/**
 * What Catalyst needs of every expression and plan: the arguments of its constructor, from which it
 * makes copies by reflection. Two nodes of a class are equal if their arguments are.
 */
interface CatalystNode extends Product {
  /** The constructor's arguments, in order. */
  List<Object> arguments();

  @Override
  default int productArity() {
    return arguments().size();
  }

  @Override
  default Object productElement(int index) {
    return arguments().get(index);
  }

  @Override
  default boolean canEqual(Object other) {
    return getClass().isInstance(other);
  }

  /** Whether {@code other} is a node of the same class with equal arguments. */
  default boolean equalArguments(Object other) {
    return canEqual(other) && arguments().equals(((CatalystNode) other).arguments());
  }
}
