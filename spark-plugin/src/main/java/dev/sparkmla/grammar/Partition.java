package dev.sparkmla.grammar;

import java.util.Arrays;
import java.util.BitSet;

/**
 * Numbers from 0 on in sets that are split and never joined. Elements are marked, and then each set
 * that has marked and other elements is split into the two; the smaller gets the new number. For
 * one thread.
 */
final class Partition {
  private final int[] elements;
  private final int[] places;
  private final int[] sets;
  private final int[] begins;
  private final int[] ends;
  private final int[] marked;
  private final int[] touched;
  private int touchedSets;
  private int size;

  /** All elements in one set. */
  Partition(int elements) {
    this.elements = new int[elements];
    this.places = new int[elements];
    this.sets = new int[elements];
    this.begins = new int[elements];
    this.ends = new int[elements];
    this.marked = new int[elements];
    this.touched = new int[elements];
    for (int element = 0; element < elements; element++) {
      this.elements[element] = element;
      this.places[element] = element;
    }
    if (elements > 0) {
      ends[0] = elements;
      size = 1;
    }
  }

  /** The number of sets. */
  int size() {
    return size;
  }

  /** Where a set's elements begin. */
  int begin(int set) {
    return begins[set];
  }

  /** Where a set's elements end (exclusive). */
  int end(int set) {
    return ends[set];
  }

  /** The element at a place. */
  int element(int place) {
    return elements[place];
  }

  /** The set of an element. */
  int setOf(int element) {
    return sets[element];
  }

  /** Splits the one set that there is into runs, each of which ends where a new one begins. */
  void cut(BitSet runs) {
    for (int begin = runs.nextSetBit(1); begin >= 0; begin = runs.nextSetBit(begin + 1)) {
      ends[size - 1] = begin;
      begins[size] = begin;
      ends[size] = elements.length;
      size++;
    }
    for (int set = 0; set < size; set++) {
      Arrays.fill(sets, begins[set], ends[set], set);
    }
  }

  /** Marks an element, which must not be marked. */
  void mark(int element) {
    int set = sets[element];
    int place = places[element];
    int free = begins[set] + marked[set];
    elements[place] = elements[free];
    places[elements[place]] = place;
    elements[free] = element;
    places[element] = free;
    if (marked[set]++ == 0) {
      touched[touchedSets++] = set;
    }
  }

  /** Splits the sets by what is marked, after which nothing is. */
  void split() {
    while (touchedSets > 0) {
      int set = touched[--touchedSets];
      int middle = begins[set] + marked[set];
      boolean whole = middle == ends[set];
      if (!whole) {
        if (marked[set] <= ends[set] - middle) {
          begins[size] = begins[set];
          ends[size] = middle;
          begins[set] = middle;
        } else {
          begins[size] = middle;
          ends[size] = ends[set];
          ends[set] = middle;
        }
        for (int i = begins[size]; i < ends[size]; i++) {
          sets[elements[i]] = size;
        }
        size++;
      }
      marked[set] = 0;
    }
  }
}
