import { expect } from 'chai';
import { titlePlaces } from '../../src/data/title_field';

const chosen = (...names: string[]): string[] => titlePlaces(names).map((place) => names[place]);

describe('titlePlaces', () => {
  it('prefers title, then *_title, then name, then *_name', () => {
    expect(chosen('item_name', 'name', 'movie_title', 'title')).to.deep.equal(['title']);
    expect(chosen('item_name', 'name', 'movie_title')).to.deep.equal(['movie_title']);
    expect(chosen('item_name', 'name')).to.deep.equal(['name']);
    expect(chosen('id', 'item_name')).to.deep.equal(['item_name']);
    expect(chosen('id', 'year', 'titles_sold', 'names')).to.deep.equal([]);
  });
  it('never takes the name of a brand, a category, a store or the like', () => {
    expect(
      chosen('brand_name', 'category_name', 'storeName', 'brandname', 'main_category title', 'subtitle', 'file-name'),
    ).to.deep.equal([]);
    expect(chosen('brand_name', 'product_name')).to.deep.equal(['product_name']);
  });
  it('takes other ways to write a name as the same', () => {
    expect(chosen('Title ')).to.deep.equal(['Title ']);
    expect(chosen('movieTitle', 'name')).to.deep.equal(['movieTitle']);
    expect(chosen('Product Name')).to.deep.equal(['Product Name']);
  });
  it('gives all that may be meant when it is not clear', () => {
    expect(chosen('title', 'Title')).to.deep.equal(['title', 'Title']);
    expect(chosen('track_name', 'artist_name')).to.deep.equal(['track_name', 'artist_name']);
  });
});
